//! What was looked at, as a table: `verify` and `doctor`.

use std::fmt::Write as _;
use std::process::ExitCode;

use comfy_table::{Table, presets};
use landfall_snowflake::provision::{Check, Outcome};

/// A row for each check, a fault with its remedy beneath.
pub(crate) fn text(checks: &[Check]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for Check { what, outcome } in checks {
        match outcome {
            Outcome::Ok(detail) => table.add_row(["ok", what, detail]),
            Outcome::Unknown(why) => table.add_row(["-", what, &format!("not checked: {why}")]),
            Outcome::Fault { what: fault, remedy } => {
                table.add_row(["FAULT", what, fault]);
                table.add_row(["", "", &format!("try: {remedy}")])
            }
        };
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let n_faults = checks.iter().filter(|check| check.is_fault()).count();
    let n_unknown = checks.iter().filter(|check| matches!(check.outcome, Outcome::Unknown(_))).count();
    let _ = write!(text, "\n{} checked, {n_faults} at fault, {n_unknown} not checked", checks.len() - n_unknown);
    text
}

/// 1 when anything is at fault.
pub(crate) fn exit_code(checks: &[Check]) -> ExitCode {
    if checks.iter().any(Check::is_fault) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_its_remedy_beneath_and_what_was_not_checked_says_why() {
        let checks = [
            Check::ok("bucket", "acme"),
            Check::fault("pipe", "PAUSED", "ALTER PIPE"),
            Check::unknown("stream", "none is named"),
        ];
        insta::assert_snapshot!(text(&checks), @"
         ok     bucket  acme
         FAULT  pipe    PAUSED
                        try: ALTER PIPE
         -      stream  not checked: none is named

        2 checked, 1 at fault, 1 not checked
        ");
        assert_eq!(exit_code(&checks), ExitCode::FAILURE);
        assert_eq!(exit_code(&[checks[0].clone(), checks[2].clone()]), ExitCode::SUCCESS);
    }
}
