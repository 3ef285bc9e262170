//! The load: callers of S3 who write down what was acknowledged and what is in doubt.

use base::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use ureq::Error;

use crate::{
    rig::BUCKET,
    s3::{Answer, S3, now},
};
use std::sync::mpsc::Sender;

/// Sizes of objects in bytes: empty, packed, around the edges of a frame (64 KiB), and of many frames.
const SIZES: [usize; 10] = [0, 1, 700, 4_096, 9_000, 65_535, 65_536, 65_537, 200_000, 700_000];
/// The smallest part that another may follow, as S3 has it.
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// SplitMix64: small, and the same bytes from the same seed.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

/// The content of an object, by the seed that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    seed: u64,
    pub(crate) len: usize,
}

impl Content {
    fn new(random: &mut Random) -> Self {
        Self { seed: random.next(), len: SIZES[random.below(SIZES.len())] }
    }
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut random = Random(self.seed);
        let mut out = Vec::with_capacity(self.len + 8);
        while out.len() < self.len {
            out.extend_from_slice(&random.next().to_le_bytes());
        }
        out.truncate(self.len);
        out
    }
}

/// An access that was acknowledged: the head of its answer arrived.
pub(crate) struct Done {
    pub(crate) name: &'static str,
    pub(crate) key: String,
    pub(crate) request: String,
    pub(crate) ranged: bool,
    pub(crate) begun: Timestamp,
    pub(crate) ended: Timestamp,
}

/// An upload in parts that was begun and not completed, with the parts that were acknowledged.
pub(crate) struct Upload {
    pub(crate) key: String,
    id: String,
    content: Content,
    /// The tag of each part, from part 1.
    parts: Vec<String>,
}

impl Upload {
    /// All its parts, a full one and the rest, or the one.
    fn chunks(&self) -> Vec<Vec<u8>> {
        let bytes = self.content.bytes();
        if bytes.is_empty() { vec![bytes] } else { bytes.chunks(PART_BYTES_MIN).map(<[u8]>::to_vec).collect() }
    }
    fn completion(&self) -> String {
        let part = |(at, etag): (usize, &String)| {
            format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", at + 1)
        };
        let parts: String = self.parts.iter().enumerate().map(part).collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    }
}

/// What the clients know.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) done: Vec<Done>,
    /// The newest acknowledged content of each key.
    pub(crate) stored: BTreeMap<String, Content>,
    /// Keys whose deletion was acknowledged.
    pub(crate) deleted: BTreeSet<String>,
    /// Writes (and deletions: no content) without an answer: each is there whole, or not at all.
    pub(crate) doubtful: Vec<(String, Option<Content>)>,
    pub(crate) uploads: Vec<Upload>,
}

impl Known {
    pub(crate) fn add(&mut self, other: Self) {
        self.done.extend(other.done);
        self.stored.extend(other.stored);
        self.deleted.extend(other.deleted);
        self.doubtful.extend(other.doubtful);
        self.uploads.extend(other.uploads);
    }
}

/// One caller of S3, who writes down what was acknowledged.
pub(crate) struct Client<'a> {
    pub(crate) s3: S3,
    events: Option<&'a Sender<()>>,
    pub(crate) known: Known,
}

impl<'a> Client<'a> {
    pub(crate) fn new(s3: S3, events: Option<&'a Sender<()>>) -> Self {
        Self { s3, events, known: Known::default() }
    }

    fn told(&mut self) {
        if let Some(events) = self.events {
            // After the kill nobody listens.
            let _gone = events.send(());
        }
    }

    /// Sends one request and records its answer; 404 is an answer that only a key in doubt may give.
    pub(crate) fn ask(
        &mut self,
        name: &'static str,
        key: &str,
        ranged: bool,
        send: impl FnOnce(&S3) -> Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        let begun = now();
        self.told();
        let answer = send(&self.s3)?;
        let (key, request) = (key.to_owned(), answer.request.clone());
        if answer.status < 300 {
            self.known.done.push(Done { name, key, request, ranged, begun, ended: now() });
        }
        self.told();
        Ok(answer)
    }

    /// A request that must succeed; its body, whole.
    fn must(
        &mut self,
        name: &'static str,
        key: &str,
        send: impl FnOnce(&S3) -> Result<Answer, Error>,
    ) -> Result<(Vec<u8>, Option<String>), Error> {
        let answer = self.ask(name, key, false, send)?;
        assert!(answer.status < 300, "{name} {key}: {} {}", answer.status, text(answer.body));
        Ok((answer.body?, answer.etag))
    }

    fn put(&mut self, key: &str, content: Content) -> Result<(), Error> {
        self.known.doubtful.push((key.to_owned(), Some(content)));
        self.must("PutObject", key, |s3| s3.put(BUCKET, key, &content.bytes()))?;
        self.stored(key, content);
        Ok(())
    }

    fn stored(&mut self, key: &str, content: Content) {
        self.known.doubtful.pop();
        self.known.deleted.remove(key);
        self.known.stored.insert(key.to_owned(), content);
    }

    fn delete(&mut self, key: &str) -> Result<(), Error> {
        self.known.doubtful.push((key.to_owned(), None));
        self.must("DeleteObject", key, |s3| s3.delete(BUCKET, key))?;
        self.known.doubtful.pop();
        self.known.stored.remove(key);
        self.known.deleted.insert(key.to_owned());
        Ok(())
    }

    fn upload(&mut self, key: &str, content: Content) -> Result<(), Error> {
        let (begun, _) = self.must("PutObject", key, |s3| s3.post(BUCKET, key, &[("uploads", "")], b""))?;
        let id = inner(&String::from_utf8(begun).unwrap(), "UploadId");
        self.known.uploads.push(Upload { key: key.to_owned(), id, content, parts: Vec::new() });
        self.finish_upload()
    }

    /// Sends the parts that are missing of the newest upload, and completes it.
    pub(crate) fn finish_upload(&mut self) -> Result<(), Error> {
        let upload = self.known.uploads.last().unwrap();
        let (key, id, content) = (upload.key.clone(), upload.id.clone(), upload.content);
        for (at, chunk) in upload.chunks().into_iter().enumerate().skip(upload.parts.len()) {
            let number = (at + 1).to_string();
            let query = [("partNumber", number.as_str()), ("uploadId", &id)];
            let (_, etag) = self.must("PutObject", &key, |s3| s3.put_part(BUCKET, &key, &query, &chunk))?;
            self.known.uploads.last_mut().unwrap().parts.push(etag.unwrap());
        }
        let upload = self.known.uploads.pop().unwrap();
        self.known.doubtful.push((key.clone(), Some(content)));
        let body = upload.completion();
        let (answer, _) =
            self.must("PutObject", &key, |s3| s3.post(BUCKET, &key, &[("uploadId", &id)], body.as_bytes()))?;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("CompleteMultipartUploadResult"), "{answer}");
        self.stored(&key, content);
        Ok(())
    }

    pub(crate) fn get(&mut self, key: &str, content: Content) -> Result<(), Error> {
        let (body, _) = self.must("GetObject", key, |s3| s3.get(BUCKET, key, None))?;
        assert!(body == content.bytes(), "{key} has other bytes than were stored");
        Ok(())
    }

    fn get_range(&mut self, key: &str, content: Content, random: &mut Random) -> Result<(), Error> {
        let first = random.below(content.len);
        let last = first + random.below(content.len - first);
        let answer = self.ask("GetObject", key, true, |s3| s3.get(BUCKET, key, Some((first, last))))?;
        assert_eq!(answer.status, 206, "GET {key} {first}-{last}: {}", text(answer.body));
        assert!(answer.body? == content.bytes()[first..=last], "{key} {first}-{last} has other bytes than were stored");
        Ok(())
    }

    /// One step of the load: mostly writes, among them overwriting and in parts, deletions, and reads of what was
    /// acknowledged.
    pub(crate) fn step(&mut self, own: &str, n: usize, random: &mut Random) -> Result<(), Error> {
        let at = random.below(self.known.stored.len().max(1));
        let known = self.known.stored.iter().nth(at).map(|(key, content)| (key.clone(), *content));
        let new = format!("{own}{n}");
        match (random.below(14), known) {
            (6..=7, Some((key, content))) => self.get(&key, content),
            (8..=9, Some((key, content))) if content.len > 0 => self.get_range(&key, content, random),
            (5, Some((key, _))) => self.put(&key, Content::new(random)),
            (10, Some((key, _))) => self.delete(&key),
            (11, Some((key, _))) => self.upload(&key, Content::new(random)),
            (12, _) => self.upload(&new, Content::new(random)),
            (13, _) if random.below(8) == 0 => {
                self.upload(&new, Content { len: PART_BYTES_MIN + 70_000, ..Content::new(random) })
            }
            _ => self.put(&new, Content::new(random)),
        }
    }
}

pub(crate) fn text(body: Result<Vec<u8>, Error>) -> String {
    body.map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of the first element of this name.
pub(crate) fn inner(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
}
