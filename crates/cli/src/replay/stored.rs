//! Events from files: one after the other, each with all that became of it.

use std::process::ExitCode;

use super::destination::Destination;
use super::event::Event;
use super::loaded;
use crate::console::{self, Progress};

/// What became of an event, or a part of one, that was taken.
struct Outcome {
    /// As they are printed.
    lines: Vec<String>,
    /// What is not where it has to be.
    n_faults: usize,
}

/// Replays each event: as a whole, or in the parts that an orchestrator takes it as.
pub(super) async fn replay(to: &Destination, events: &[Event], progress: &Progress) -> anyhow::Result<ExitCode> {
    let (mut n_events, mut n_failed) = (0, 0);
    for event in events {
        n_events += 1;
        let mut is_taken = true;
        for part in &event.parts(&to.pipeline)? {
            is_taken &= part_of_one(to, part, progress).await?;
        }
        n_failed += usize::from(!is_taken);
    }
    if n_events > 1 {
        console::print(&format!("\n{n_events} events: {} taken, {n_failed} failed", n_events - n_failed))?;
    }
    Ok(if n_failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether it was taken, and all of it is where it has to be.
async fn part_of_one(to: &Destination, part: &Event, progress: &Progress) -> anyhow::Result<bool> {
    progress.step(&format!("replaying {}", part.name));
    let outcome = one(to, part).await;
    progress.clear();
    match outcome {
        Ok(Outcome { lines, n_faults }) => {
            console::print(&lines.join("\n"))?;
            Ok(n_faults == 0)
        }
        Err(error) => {
            console::print(&format!("{}: failed", part.title()))?;
            console::print_failure(&error);
            Ok(false)
        }
    }
}

async fn one(to: &Destination, event: &Event) -> anyhow::Result<Outcome> {
    let answer = to.target.take(event).await.map_err(|fault| fault.error)?;
    let batch = event.batch(&to.pipeline)?;
    let mut lines = vec![event.title(), format!("  answered  {} in {} ms", answer.text, answer.duration.as_millis())];
    let landed = match &to.zone {
        Some(zone) => zone.landed(&to.pipeline, &batch).await,
        None => Err(anyhow::anyhow!("{}", to.target.how_to_look())),
    };
    let mut faults = Vec::new();
    match (landed, &to.local) {
        (Ok(landed), Some(local)) => {
            lines.extend(landed.lines());
            faults.extend(landed.faults(&batch));
            let positions: Vec<_> = batch.rows.iter().map(|row| row.position()).collect();
            let loaded = loaded::look(local, &positions).await?;
            lines.push(loaded.line(local));
            faults.extend(loaded.faults(&landed.refused(), local));
            let of_event = landed.keys().filter_map(|key| loaded.not_loaded.get_key_value(key));
            faults.extend(of_event.map(|(key, reason)| format!("Snowpipe could not load {key}: {reason}")));
        }
        // What is deployed may have another pipeline, or LANDING=off: what is not there is worth a line and no fault.
        (Ok(landed), None) => {
            lines.extend(landed.lines());
            lines.extend(landed.faults(&batch).iter().map(|fault| format!("  but       {fault}")));
        }
        (Err(error), None) => lines.push(format!(
            "  expected  {} rows and {} dead letters by this pipeline; not looked for: {error}",
            batch.rows.len(),
            batch.poison.len()
        )),
        (Err(error), Some(_)) => return Err(error),
    }
    lines.extend(faults.iter().map(|fault| format!("  FAULT     {fault}")));
    Ok(Outcome { lines, n_faults: faults.len() })
}
