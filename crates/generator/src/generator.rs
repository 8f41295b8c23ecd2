//! Records without end.

use crate::random::{Purpose, Random};
use crate::template::Template;

/// KDG's partition keys are the whole numbers below this.
const N_PARTITION_KEYS: u128 = 10_000_000_000;

/// Renders a template again and again.
///
/// The same template and seed give the same records and partition keys on every platform. Neither depends on how
/// many of the other were asked for.
#[derive(Debug, Clone)]
pub struct Generator {
    template: Template,
    values: Random,
    partition_keys: Random,
}

impl Generator {
    /// A generator at its first record.
    pub fn new(template: Template, seed: u64) -> Self {
        Self {
            template,
            values: Random::new(seed, Purpose::Values),
            partition_keys: Random::new(seed, Purpose::PartitionKeys),
        }
    }

    /// The next record's bytes: the template's text with every call replaced, and a line feed, as KDG ends each.
    pub fn next_record(&mut self) -> Vec<u8> {
        let mut record = self.template.render(&mut self.values);
        record.push('\n');
        record.into_bytes()
    }

    /// The next partition key: a whole number below 10,000,000,000, as KDG draws it.
    pub fn next_partition_key(&mut self) -> String {
        self.partition_keys.below(N_PARTITION_KEYS).to_string()
    }
}
