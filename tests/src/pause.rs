//! Processes that stand still: what Lambda's freezing does, or a processor that others have.

use std::process::{Command, Stdio};

/// Stops a process where it is, until it is resumed or killed. Says whether there was one.
pub fn pause(process: u32) -> bool {
    signal("-STOP", process)
}

/// Lets a process that was stopped go on.
pub fn resume(process: u32) -> bool {
    signal("-CONT", process)
}

fn signal(signal: &str, process: u32) -> bool {
    // One that is gone is nothing to tell of.
    let mut command = Command::new("kill");
    command.args([signal, &process.to_string()]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
