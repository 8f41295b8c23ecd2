//! What has become of documents, counted.

use std::collections::HashMap;

use landfall_core::{Batch, Position};

use super::landed::n;

/// Reasons shown, the most frequent first.
const N_REASONS: usize = 10;

/// Positions shown of each reason.
const N_POSITIONS: usize = 3;

/// What has become of documents.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) n_rows: usize,
    pub(super) n_poison: usize,
    /// Rows that the warehouse refused: not among the rows.
    pub(super) n_refused: usize,
    by_reason: HashMap<String, Reason>,
}

/// The poison that has one reason.
#[derive(Debug, Default)]
struct Reason {
    n_documents: usize,
    first: Vec<Position>,
}

impl Tally {
    /// Adds what a batch comes to.
    pub(super) fn add(&mut self, batch: &Batch) {
        self.n_rows += batch.rows.len();
        for poison in &batch.poison {
            self.poison(&poison.reason, poison.position());
        }
    }

    /// A row that the warehouse has refused.
    pub(super) fn refused(&mut self, reason: &str, position: Position) {
        self.n_rows = self.n_rows.saturating_sub(1);
        self.n_refused += 1;
        self.reason(reason, position);
    }

    fn poison(&mut self, reason: &str, position: Position) {
        self.n_poison += 1;
        self.reason(reason, position);
    }

    fn reason(&mut self, reason: &str, position: Position) {
        // Looked up first: a reason comes often.
        if !self.by_reason.contains_key(reason) {
            self.by_reason.insert(reason.to_owned(), Reason::default());
        }
        if let Some(reason) = self.by_reason.get_mut(reason) {
            reason.n_documents += 1;
            if reason.first.len() < N_POSITIONS {
                reason.first.push(position);
            }
        }
    }

    /// Poison and refused rows by their reasons, as they are printed.
    pub(super) fn reason_lines(&self) -> Vec<String> {
        let mut reasons: Vec<_> = self.by_reason.iter().collect();
        reasons.sort_by(|(a, one), (b, other)| other.n_documents.cmp(&one.n_documents).then_with(|| a.cmp(b)));
        let mut lines = Vec::new();
        for (reason, Reason { n_documents, first }) in reasons.iter().take(N_REASONS) {
            lines.push(format!("            {n_documents} × {reason}"));
            lines.extend(first.iter().map(|position| format!("                {position}")));
            if *n_documents > first.len() {
                lines.push(format!("                and {} more", n_documents - first.len()));
            }
        }
        if reasons.len() > N_REASONS {
            lines.push(format!("            and {}", n(reasons.len() - N_REASONS, "other reason")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::SequenceNumber;

    use super::*;

    #[test]
    fn reasons_come_by_their_frequency_with_their_first_positions() {
        let mut tally = Tally { n_rows: 1, ..Tally::default() };
        let position = |number: u64| Position {
            shard_id: "shard".into(),
            sequence_number: SequenceNumber::new(&number.to_string()).unwrap(),
            subsequence_number: 0,
            document_number: 0,
        };
        (0..5).for_each(|number| tally.poison("no JSON", position(number)));
        (5..15).for_each(|number| tally.poison(&format!("other {number:02}"), position(number)));
        tally.refused("the warehouse refused the row", position(99));

        assert_eq!((tally.n_rows, tally.n_poison, tally.n_refused), (0, 15, 1));
        let lines = tally.reason_lines();
        insta::assert_snapshot!(lines[..7].join("\n"), @"
        5 × no JSON
            shard:0:0:0
            shard:1:0:0
            shard:2:0:0
            and 2 more
        1 × other 05
            shard:5:0:0
        ");
        insta::assert_snapshot!(lines[lines.len() - 3..].join("\n"), @"
        1 × other 13
            shard:13:0:0
        and 2 other reasons
        ");
    }
}
