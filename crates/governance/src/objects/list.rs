//! Lists: range scans over the rows of a bucket, seeking over what the caller may not see and over folded keys.

use access::{Action, Jump, Outcome, Permit, Shown, Visible, s3};
use std::{collections::VecDeque, ops::Bound};
use store::{Direction, ReadTxn, Record};

use super::{
    record::{self, OBJECT, ObjectRow, UPLOAD, UploadRow},
    target::finished,
    types::{
        List, ListUploads, ListVersions, ListedObject, ListedUpload, ListedVersion, ObjectPage, PAGE_MAX, UploadPage,
        VersionPage,
    },
};
use crate::Error;

/// Rows that are read at once: a full page of keys with few old versions.
const ROWS: usize = 512;

/// Walks the rows of a bucket inside the visible areas, in order, and can jump ahead.
struct Walk<'a, 't> {
    txn: &'a ReadTxn<'t>,
    class: &'static str,
    bucket: &'a str,
    visible: Visible,
    areas: Vec<String>,
    area: usize,
    /// The least row that is still wanted.
    from: Vec<u8>,
    rows: VecDeque<(Vec<u8>, Record)>,
    /// The present area has no rows beyond `rows`.
    drained: bool,
    /// The least row of what is asked that lies behind every area which was entered.
    left: Vec<u8>,
    /// Behind the last row of what is asked; `None` when there is no end.
    end: Option<Vec<u8>>,
    /// How many areas were entered, the end counting as one.
    entered: usize,
    /// Places that were passed over though something is in them.
    hidden: u64,
}

impl<'a, 't> Walk<'a, 't> {
    fn new(txn: &'a ReadTxn<'t>, class: &'static str, bucket: &'a str, visible: &Visible, prefix: &str) -> Self {
        let visible = visible.under(prefix);
        let areas = visible.ranges().to_vec();
        let left = [bucket.as_bytes(), &[0], prefix.as_bytes()].concat();
        let end = store::prefix_end(&left);
        let (from, rows) = (Vec::new(), VecDeque::new());
        Self {
            txn,
            class,
            bucket,
            visible,
            areas,
            area: 0,
            from,
            rows,
            drained: false,
            left,
            end,
            entered: 0,
            hidden: 0,
        }
    }

    /// Looks whether something is in the place between the areas that were entered and `begin`, which is entered now, and notes
    /// where it ends.
    fn enter(&mut self, begin: Option<&[u8]>, end: Option<Vec<u8>>) -> Result<(), Error> {
        if self.entered > self.area {
            return Ok(());
        }
        self.entered = self.area + 1;
        let from = if self.from > self.left { &self.from } else { &self.left };
        if begin.is_none_or(|begin| from.as_slice() < begin) {
            let to = begin.map_or(Bound::Unbounded, Bound::Excluded);
            let inside = self.txn.record_scan(self.class, Bound::Included(from), to, 1, Direction::Forward)?;
            self.hidden += u64::from(!inside.is_empty());
        }
        if let Some(end) = end {
            self.left = end;
        }
        Ok(())
    }

    /// Jumps to the first row at or after `row`; never back.
    fn seek(&mut self, row: Vec<u8>) {
        if row <= self.from {
            return;
        }
        while self.rows.front().is_some_and(|(key, _)| *key < row) {
            self.rows.pop_front();
        }
        self.from = row;
    }

    /// Behind every row of `key`.
    fn skip_key(&mut self, key: &str) {
        self.seek([self.bucket.as_bytes(), &[0], key.as_bytes(), &[1]].concat());
    }

    /// Behind every key that begins with `prefix`.
    fn skip_prefix(&mut self, prefix: &str) {
        match store::prefix_end(&[self.bucket.as_bytes(), &[0], prefix.as_bytes()].concat()) {
            Some(end) => self.seek(end),
            None => self.area = self.areas.len(),
        }
    }

    fn next(&mut self) -> Result<Option<(Vec<u8>, Record)>, Error> {
        loop {
            if let Some((row, record)) = self.rows.pop_front() {
                let (key, _) = record::split(&row, self.bucket.len()).ok_or_else(damaged)?;
                // A place of another dataset may lie inside a visible area: its keys are not shown.
                match self.visible.skip(key) {
                    Some(jump) => {
                        self.hidden += 1;
                        match jump {
                            Jump::To(prefix) => self.seek([self.bucket.as_bytes(), &[0], prefix.as_bytes()].concat()),
                            Jump::Past(prefix) => self.skip_prefix(&prefix),
                        }
                    }
                    None => {
                        self.from = [row.as_slice(), &[0]].concat();
                        return Ok(Some((row, record)));
                    }
                }
                continue;
            }
            if std::mem::take(&mut self.drained) {
                self.area += 1;
            }
            let Some(area) = self.areas.get(self.area) else {
                let end = self.end.clone();
                self.enter(end.as_deref(), None)?;
                return Ok(None);
            };
            let begin = [self.bucket.as_bytes(), &[0], area.as_bytes()].concat();
            let end = store::prefix_end(&begin);
            self.enter(Some(&begin), end.clone())?;
            let from = if self.from > begin { &self.from } else { &begin };
            if end.as_ref().is_some_and(|end| from >= end) {
                self.drained = true;
                continue;
            }
            let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let rows = self.txn.record_scan(self.class, Bound::Included(from), to, ROWS, Direction::Forward)?;
            self.drained = rows.len() < ROWS;
            self.rows = rows.into();
        }
    }
}

/// The common prefix of a key, if the delimiter occurs after the prefix.
fn folded<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

fn damaged() -> Error {
    Error::Damaged { what: "object record" }
}

/// A page, and how much of the bucket it shows.
type Listed<P> = (P, Shown);

fn shown(listed: usize, hidden: u64) -> Shown {
    Shown { listed: u64::try_from(listed).unwrap_or(u64::MAX), hidden }
}

/// A page of keys with their newest versions; keys whose newest version is a delete marker are absent.
fn objects(txn: &ReadTxn<'_>, bucket: &str, visible: &Visible, list: &List) -> Result<Listed<ObjectPage>, Error> {
    let limit = list.limit.min(PAGE_MAX);
    let mut page = ObjectPage::default();
    if limit == 0 {
        return Ok((page, shown(0, 0)));
    }
    let mut walk = Walk::new(txn, OBJECT, bucket, visible, &list.prefix);
    let after = list.after.as_deref();
    if let Some(after) = after {
        walk.skip_key(after);
    }
    let mut last: Option<String> = None;
    while let Some((row_key, record)) = walk.next()? {
        let (key, tail) = record::split(&row_key, bucket.len()).ok_or_else(damaged)?;
        let common = folded(key, &list.prefix, list.delimiter.as_deref());
        if let Some(common) = common.filter(|common| after.is_some_and(|after| *common <= after)) {
            walk.skip_prefix(common);
            continue;
        }
        walk.skip_key(key);
        let row: ObjectRow = record::decode(&record.value, "object record")?;
        let Some(content) = row.content else { continue };
        if page.objects.len() + page.prefixes.len() == limit {
            page.next = last;
            break;
        }
        if let Some(common) = common {
            walk.skip_prefix(common);
            page.prefixes.push(common.to_owned());
            last = Some(common.to_owned());
        } else {
            last = Some(key.to_owned());
            page.objects.push(ListedObject {
                key: key.parse()?,
                version: record::version_of(tail).ok_or_else(damaged)?,
                etag: content.etag,
                size: content.size,
                modified: row.modified,
                checksum: content.checksum,
            });
        }
    }
    let listed = page.objects.len() + page.prefixes.len();
    Ok((page, shown(listed, walk.hidden)))
}

/// What is asked of rows that an id tells apart behind their key.
struct Asked<'a, I> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// Only rows after this key, or after this id of it.
    after: Option<(&'a str, Option<I>)>,
    limit: usize,
}

/// A page of such rows, with what the delimiter folded and where the next page begins.
struct Rows<T, I> {
    listed: Vec<T>,
    prefixes: Vec<String>,
    next: Option<(String, Option<I>)>,
    hidden: u64,
}

impl<T, I> Rows<T, I> {
    fn shown(&self) -> Shown {
        shown(self.listed.len() + self.prefixes.len(), self.hidden)
    }
}

/// Fills a page: `row_key` names the row of a key and an id, `read` makes an item of a key, what follows it in its row, and the record.
fn rows<T, I: Copy>(
    mut walk: Walk<'_, '_>,
    asked: &Asked<'_, I>,
    row_key: impl Fn(&str, &str, I) -> Vec<u8>,
    mut read: impl FnMut(&str, &[u8], &Record) -> Result<(I, T), Error>,
) -> Result<Rows<T, I>, Error> {
    let bucket = walk.bucket;
    match asked.after {
        Some((key, Some(id))) => walk.seek([row_key(bucket, key, id).as_slice(), &[0]].concat()),
        Some((key, None)) => walk.skip_key(key),
        None => {}
    }
    let limit = asked.limit.min(PAGE_MAX);
    let mut page = Rows { listed: Vec::new(), prefixes: Vec::new(), next: None, hidden: 0 };
    let mut last = None;
    while let Some((row, record)) = walk.next()? {
        let (key, tail) = record::split(&row, bucket.len()).ok_or_else(damaged)?;
        let common = folded(key, asked.prefix, asked.delimiter);
        if let Some(common) = common.filter(|common| asked.after.is_some_and(|(after, _)| *common <= after)) {
            walk.skip_prefix(common);
            continue;
        }
        if page.listed.len() + page.prefixes.len() == limit {
            page.next = last;
            break;
        }
        if let Some(common) = common {
            walk.skip_prefix(common);
            page.prefixes.push(common.to_owned());
            last = Some((common.to_owned(), None));
        } else {
            let (id, item) = read(key, tail, &record)?;
            last = Some((key.to_owned(), Some(id)));
            page.listed.push(item);
        }
    }
    page.hidden = walk.hidden;
    Ok(page)
}

/// A page of versions and delete markers.
fn versions(
    txn: &ReadTxn<'_>,
    bucket: &str,
    visible: &Visible,
    list: &ListVersions,
) -> Result<Listed<VersionPage>, Error> {
    let walk = Walk::new(txn, OBJECT, bucket, visible, &list.prefix);
    let after = list.after.as_ref().map(|(key, version)| (key.as_str(), *version));
    let asked = Asked { prefix: &list.prefix, delimiter: list.delimiter.as_deref(), after, limit: list.limit };
    // The key whose newest version has been passed: what follows of it is not the newest.
    let mut passed = after.and_then(|(key, version)| version.map(|_| key.to_owned()));
    let page = rows(walk, &asked, record::object_key, |key, tail, record| {
        let row: ObjectRow = record::decode(&record.value, "object record")?;
        let version = record::version_of(tail).ok_or_else(damaged)?;
        let latest = passed.as_deref() != Some(key);
        passed = Some(key.to_owned());
        let content = row.content.map(|content| (content.etag, content.size, content.checksum));
        Ok((version, ListedVersion { key: key.parse()?, version, latest, content, modified: row.modified }))
    })?;
    let shown = page.shown();
    Ok((VersionPage { versions: page.listed, prefixes: page.prefixes, next: page.next }, shown))
}

/// A page of multipart uploads in progress.
fn uploads(
    txn: &ReadTxn<'_>,
    bucket: &str,
    visible: &Visible,
    list: &ListUploads,
) -> Result<Listed<UploadPage>, Error> {
    let walk = Walk::new(txn, UPLOAD, bucket, visible, &list.prefix);
    let after = list.after.as_ref().map(|(key, upload)| (key.as_str(), *upload));
    let asked = Asked { prefix: &list.prefix, delimiter: list.delimiter.as_deref(), after, limit: list.limit };
    let page = rows(walk, &asked, record::upload_key, |key, tail, record| {
        let row: UploadRow = record::decode(&record.value, "upload record")?;
        let upload = record::upload_of(tail).ok_or_else(damaged)?;
        let UploadRow { initiated, algorithm, kind, .. } = row;
        Ok((upload, ListedUpload { key: key.parse()?, upload, initiated, algorithm, kind }))
    })?;
    let shown = page.shown();
    Ok((UploadPage { uploads: page.listed, prefixes: page.prefixes, next: page.next }, shown))
}

/// Closes the permit of a list with how much it showed.
fn answered<A: Action, P>(permit: Permit<A>, result: Result<Listed<P>, Error>) -> Result<P, Error> {
    match result {
        Ok((page, shown)) => {
            permit.finish_list(Outcome::DONE, shown);
            Ok(page)
        }
        Err(error) => finished(permit, Err(error), |_| 0),
    }
}

impl super::Objects {
    /// A page of the keys of a bucket that are `visible` to the caller.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Damaged`].
    pub async fn list(
        &self,
        permit: Permit<s3::ListBucket>,
        visible: &Visible,
        list: List,
    ) -> Result<ObjectPage, Error> {
        let (bucket, visible) = (permit.resource().name.clone(), visible.clone());
        let result = self.0.store.read(move |txn| objects(txn, &bucket, &visible, &list)).await;
        answered(permit, result)
    }

    /// A page of the versions and delete markers of a bucket that are `visible` to the caller.
    ///
    /// # Errors
    /// As [`super::Objects::list`].
    pub async fn list_versions(
        &self,
        permit: Permit<s3::ListBucketVersions>,
        visible: &Visible,
        list: ListVersions,
    ) -> Result<VersionPage, Error> {
        let (bucket, visible) = (permit.resource().name.clone(), visible.clone());
        let result = self.0.store.read(move |txn| versions(txn, &bucket, &visible, &list)).await;
        answered(permit, result)
    }

    /// A page of the multipart uploads of a bucket under keys that are `visible` to the caller.
    ///
    /// # Errors
    /// As [`super::Objects::list`].
    pub async fn list_uploads(
        &self,
        permit: Permit<s3::ListBucketMultipartUploads>,
        visible: &Visible,
        list: ListUploads,
    ) -> Result<UploadPage, Error> {
        let (bucket, visible) = (permit.resource().name.clone(), visible.clone());
        let result = self.0.store.read(move |txn| uploads(txn, &bucket, &visible, &list)).await;
        answered(permit, result)
    }
}
