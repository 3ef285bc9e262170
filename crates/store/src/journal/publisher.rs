//! The publisher thread: turns durable entries into bundles, tiles and a signed checkpoint, lets write-ahead files go,
//! keeps a spare one ready, and watches the free space.

use ledger::{LogBuilder, Publication, layout};
use std::{sync::PoisonError, time::Duration};

use super::{
    Error,
    open::{make_reserve, remove, set_aside, write},
    queue::Prepared,
    state::{PublishAck, Shared, State},
};

/// How often the free space is looked at while nothing is appended.
const SPACE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Runs until the writer has ended and everything is published, or cannot be.
pub(super) fn run(shared: &Shared, builder: LogBuilder) {
    let mut publisher = Publisher { shared, builder, unwritten: None, garbage: Vec::new() };
    publisher.watch_space();
    loop {
        let (last, askers) = publisher.wait();
        publisher.make_spare();
        let result = publisher.publish();
        publisher.watch_space();
        publisher.remove_garbage();
        publisher.answer(askers, &result);
        if last {
            break;
        }
        publisher.pause();
    }
    publisher.finish();
}

struct Publisher<'a> {
    shared: &'a Shared,
    builder: LogBuilder,
    /// A publication that could not be written yet; it is written before anything else is published.
    unwritten: Option<Publication>,
    /// Files that nothing needs any more, kept while somebody reads the whole log.
    garbage: Vec<String>,
}

impl Publisher<'_> {
    /// Waits for something to do; true when it is the last time.
    fn wait(&self) -> (bool, Vec<PublishAck>) {
        let log = self.shared.log();
        let (mut log, _) = self
            .shared
            .to_publish
            .wait_timeout_while(log, SPACE_CHECK_INTERVAL, |log| {
                log.recent.is_empty() && log.askers.is_empty() && !log.spare_wanted && !log.writer_done
            })
            .unwrap_or_else(PoisonError::into_inner);
        (log.writer_done, std::mem::take(&mut log.askers))
    }

    /// Lets the interval pass, unless somebody asks or much has come in.
    fn pause(&self) {
        let log = self.shared.log();
        let waited = self.shared.to_publish.wait_timeout_while(log, self.shared.options.checkpoint_interval, |log| {
            let pressed = self.shared.options.presses(log.recent_bytes) && log.publishing_fails.is_none();
            log.askers.is_empty() && !log.writer_done && !log.spare_wanted && !pressed
        });
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Publishes everything that is durable now.
    fn publish(&mut self) -> Result<(), Error> {
        let result = self.try_publish();
        let mut log = self.shared.log();
        if let Err(error) = &result
            && log.publishing_fails.is_none()
        {
            tracing::error!(error = %error, "the ledger cannot publish its entries; they stay in the write-ahead files");
        }
        log.publishing_fails = result.clone().err();
        drop(log);
        self.shared.published.notify_all();
        result
    }

    fn try_publish(&mut self) -> Result<(), Error> {
        if let Some(publication) = self.unwritten.take() {
            self.write(publication)?;
        }
        let entries = self.unpublished();
        if entries.is_empty() && self.builder.size() == self.shared.log().head.size {
            return Ok(());
        }
        for entry in entries {
            self.builder.append(&entry.bytes, entry.leaf)?;
        }
        let publication = self.builder.publish(&*self.shared.signer)?;
        self.write(publication)
    }

    /// Durable entries that the builder has not seen.
    fn unpublished(&self) -> Vec<Prepared> {
        let log = self.shared.log();
        let seen = usize::try_from(self.builder.size() - log.head.size).unwrap_or(usize::MAX);
        log.recent.iter().skip(seen).cloned().collect()
    }

    fn write(&mut self, publication: Publication) -> Result<(), Error> {
        if let Err(error) = write(&*self.shared.disk, &publication) {
            if error.is_full() {
                self.shared.set_space_state(State::ReadOnly);
            }
            self.unwritten = Some(publication);
            return Err(error);
        }
        self.garbage.extend(publication.obsolete.iter().cloned());
        let obsolete = self.take_published(publication);
        self.garbage.extend(obsolete.into_iter().map(|first| self.shared.options.wal_name(first)));
        Ok(())
    }

    /// Removes what nobody needs, unless somebody reads the whole log right now.
    fn remove_garbage(&mut self) {
        // A reader that pins the log from now on sees the files of the newest checkpoint, and those stay.
        if self.shared.log().pins > 0 {
            return;
        }
        // A file that stays is removed at the next opening.
        if let Err(error) = remove(&*self.shared.disk, &std::mem::take(&mut self.garbage)) {
            tracing::warn!(error = %error, "a file of the ledger that is no longer needed could not be removed");
        }
    }

    /// Forgets what is published now; returns the write-ahead files that are no longer needed.
    fn take_published(&self, publication: Publication) -> Vec<u64> {
        let mut log = self.shared.log();
        let count = usize::try_from(publication.head.size - log.head.size).unwrap_or(usize::MAX);
        let count = count.min(log.recent.len());
        let bytes: usize = log.recent.drain(..count).map(|entry| entry.bytes.len() + 2).sum();
        log.recent_bytes = log.recent_bytes.saturating_sub(bytes);
        log.head = publication.head;
        log.checkpoint = publication.checkpoint;
        let mut obsolete = Vec::new();
        // A file ends where the next one begins; the last one is being written.
        while log.wals.get(1).is_some_and(|next| *next <= log.head.size) {
            obsolete.extend(log.wals.pop_front());
        }
        obsolete
    }

    fn answer(&self, askers: Vec<PublishAck>, result: &Result<(), Error>) {
        let head = self.shared.log().head.clone();
        for asker in askers {
            let _ = asker.send(result.clone().map(|()| head.clone()));
        }
    }

    fn make_spare(&self) {
        let mut log = self.shared.log();
        let wanted = std::mem::take(&mut log.spare_wanted) && log.spare.is_none() && !log.writer_done;
        drop(log);
        if wanted {
            match set_aside(&*self.shared.disk, layout::SPARE, self.shared.options.wal_bytes) {
                Ok(spare) => self.shared.log().spare = Some(spare),
                // The writer makes its own when it needs one.
                Err(error) => tracing::warn!(error = %error, "no spare write-ahead file could be made"),
            }
        }
    }

    /// Sets the state from the free space.
    fn watch_space(&self) {
        let disk = &*self.shared.disk;
        let options = &self.shared.options;
        let Ok(free) = disk.available() else { return };
        let state = State::of_space(free, options);
        let before = self.shared.log().state;
        match (before, state) {
            (State::Failed, _) => return,
            // Give the reserved space to the entries that are still allowed.
            (State::Ready | State::HighWater, State::ReadOnly) => {
                if let Err(error) = disk.remove(&options.reserve_name()) {
                    tracing::warn!(error = %error, "the reserved space could not be released");
                }
            }
            (State::ReadOnly, State::Ready | State::HighWater) => make_reserve(disk, options),
            _ => {}
        }
        self.shared.set_space_state(state);
    }

    /// At the end: a log that is published as a whole needs no write-ahead file.
    fn finish(&mut self) {
        let mut log = self.shared.log();
        log.publisher_done = true;
        let whole = log.recent.is_empty() && log.state != State::Failed;
        let wals: Vec<u64> = log.wals.iter().copied().collect();
        log.spare = None;
        let askers = std::mem::take(&mut log.askers);
        let head = log.head.clone();
        drop(log);
        for asker in askers {
            let _ = asker.send(if whole { Ok(head.clone()) } else { Err(Error::Closed) });
        }
        let options = &self.shared.options;
        let mut names = vec![options.spare_name()];
        if whole {
            names.extend(wals.into_iter().map(|first| options.wal_name(first)));
        }
        self.garbage.extend(names);
        self.remove_garbage();
        self.shared.published.notify_all();
    }
}
