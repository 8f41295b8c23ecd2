//! Puts generated records into the stream.

use indicatif::ProgressBar;
use landfall_core::{Pipeline, Position};
use landfall_generator::{Generator, PoisonKind, Poisoner, Template};
use landfall_local::shards::Stream;

use crate::args::DemoOptions;

/// A record that is in the stream.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) position: Position,
    /// How it was spoiled, if it was.
    pub(super) poison: Option<PoisonKind>,
}

/// Puts all records, waiting while shards are full. The stream ends when this does.
pub(super) async fn feed(
    options: DemoOptions,
    template: Template,
    pipeline: Pipeline,
    stream: Stream,
    bar: ProgressBar,
) -> anyhow::Result<Vec<Sent>> {
    let mut generator = Generator::new(template, options.seed);
    let mut poisoner = Poisoner::new(&pipeline, options.seed, options.poison);
    let mut sent = Vec::new();
    for _ in 0..options.records {
        let record = generator.next_record();
        let partition_key = generator.next_partition_key();
        let (record, poison) = match poisoner.spoil(&record) {
            Some(spoiled) => (spoiled.record, Some(spoiled.kind)),
            None => (record, None),
        };
        let put = stream.put(&partition_key, &record).await?;
        let position = Position {
            shard_id: put.shard_id,
            sequence_number: put.sequence_number,
            subsequence_number: 0,
            document_number: 0,
        };
        sent.push(Sent { position, poison });
        bar.inc(1);
    }
    Ok(sent)
}
