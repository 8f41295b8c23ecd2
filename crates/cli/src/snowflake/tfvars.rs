//! What Terraform is told: a file of variables that it reads by itself.

use std::fmt::Write as _;
use std::path::Path;

use landfall_snowflake::provision::Handshake;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// Writes what is known, and answers with it for a person.
///
/// What is not known now and stands in the file already is kept: without it, the next terraform apply would take the
/// notification and the trust away again.
pub(super) fn tell(file: &Path, handshake: &Handshake) -> anyhow::Result<String> {
    let mut values = read(file)?;
    let mut text = format!("{}\n", file.display());
    for (name, value) in [
        ("snowflake_iam_user_arn", &handshake.iam_user_arn),
        ("snowflake_notification_channel", &handshake.notification_channel),
    ] {
        let (shown, why) = match (value, values.get(name).and_then(Value::as_str).unwrap_or_default()) {
            (Some(value), _) => (value.as_str(), ""),
            (None, "") => ("not known yet", ""),
            (None, kept) => (kept, " (not known now: kept from before)"),
        };
        let _ = writeln!(text, "  {name:<30}  {shown}{why}");
        if let Some(value) = value {
            values.insert(name.to_owned(), value.as_str().into());
        }
    }
    write(file, &format!("{}\n", serde_json::to_string_pretty(&values)?))?;
    Ok(text)
}

/// What stands there; nothing, where there is no file.
fn read(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let failure = |why: &str| Failure {
        what: format!("failed to read {}: {why}", file.display()),
        remedy: "mend it or take it away, or name another: --tfvars".to_owned(),
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(failure(&error.to_string()).into()),
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(values)) => Ok(values),
        _ => Err(failure("it is no JSON object").into()),
    }
}

/// All of it or nothing: Terraform may be reading.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let new = file.with_extension("json.new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, file)).map_err(|error| {
        let what = format!("failed to write {}: {error}", file.display());
        Failure { what, remedy: "name a file that can be written: --tfvars".to_owned() }.into()
    })
}
