//! An answer that stays below Lambda's limit.

use landfall_core::firehose::{Answer, Answered, Delivered};

/// The largest answer that Lambda takes of a function is 6 MB; the rest is for what is around the records.
pub(crate) const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024 - 64 * 1024;

/// An answer that is being made. Room is kept for the shortest answer to each record that is still to come.
pub(crate) struct Answering {
    records: Vec<Answered>,
    n_bytes_left: usize,
}

impl Answering {
    pub(crate) fn new(delivered: &[Delivered], max_bytes: usize) -> Self {
        let n_bytes: usize = delivered.iter().map(|one| Answered::n_bytes_without_data(&one.record_id)).sum();
        Self { records: Vec::with_capacity(delivered.len()), n_bytes_left: max_bytes.saturating_sub(n_bytes) }
    }

    /// Answers a record, whether or not there is room: for answers without data, which have theirs.
    pub(crate) fn push(&mut self, answered: Answered) {
        self.records.push(answered);
    }

    /// Answers a record, if there is room.
    pub(crate) fn push_if_it_fits(&mut self, answered: Answered) -> bool {
        let n_kept = Answered::n_bytes_without_data(&answered.record_id);
        let n_more = answered.n_bytes().saturating_sub(n_kept);
        let fits = n_more <= self.n_bytes_left;
        if fits {
            self.n_bytes_left -= n_more;
            self.records.push(answered);
        }
        fits
    }

    pub(crate) fn finish(self) -> Answer {
        Answer { records: self.records }
    }
}
