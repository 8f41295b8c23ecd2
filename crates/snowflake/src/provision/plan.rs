//! What is to be made.

use std::fmt;

use landfall_core::Pipeline;

use super::found::Found;
use super::refused::{self, Reason, Refused};
use crate::ddl::{By, Kind, Object, Paths, Settings, Step, sections};
use crate::key::{PublicKey, Slot, set_public_key};
use crate::schema_change;

/// What brings an account to a pipeline: nothing, when it has been done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order to run them in.
    pub steps: Vec<Planned>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// For a person: `role LANDFALL_OWNER`, `USAGE on warehouse LANDFALL_WH to LANDFALL_LOADER`.
    pub what: String,
    /// Whose role runs it.
    pub by: By,
    /// What is run.
    pub statement: String,
    /// Whether it makes the pipe, which may have to wait.
    pub is_pipe: bool,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+ {}", self.what)
    }
}

/// What to make.
///
/// # Errors
/// Everything that is refused, at once.
pub fn plan(pipeline: &Pipeline, settings: &Settings, found: &Found) -> Result<Plan, Refused> {
    let mut reasons = refused::reasons(pipeline, settings, found);
    let key = key(settings, found).unwrap_or_else(|reason| {
        reasons.push(reason);
        None
    });
    let changes = schema_change::plan(pipeline, &found.deployed).unwrap_or_else(|error| {
        reasons.extend(refused::tables(pipeline, &error));
        schema_change::Plan::default()
    });
    if !reasons.is_empty() {
        return Err(Refused { reasons });
    }
    let mut steps = Vec::new();
    for section in sections(pipeline, settings) {
        // Before the views, which name the columns of their tables.
        if section.file_name.contains("views") {
            steps.extend(changes.changes.iter().map(|change| Planned {
                what: format!("column: {change}"),
                by: section.by,
                statement: change.statement.clone(),
                is_pipe: false,
            }));
        }
        for step in section.steps {
            let what = match &step {
                Step::Make(object) if is_there(pipeline, found, object) => continue,
                Step::Make(object) => format!("{} {}", object.kind.sql().to_lowercase(), object.path.join(".")),
                Step::Grant(grant) if found.is_granted(grant) => continue,
                Step::Grant(grant) => grant.describe(),
            };
            let is_pipe = matches!(&step, Step::Make(object) if object.kind == Kind::Pipe);
            steps.push(Planned { what, by: section.by, statement: step.sql(), is_pipe });
        }
        if section.by == By::Administrator {
            steps.extend(key.clone());
        }
    }
    Ok(Plan { steps })
}

fn is_there(pipeline: &Pipeline, found: &Found, object: &Object) -> bool {
    if object.kind != Kind::View {
        return found.has(object.kind, &object.path);
    }
    // A view may be replaced: it holds nothing.
    let columns: Vec<_> = pipeline.columns().iter().map(|column| column.name.clone()).collect();
    let index = usize::from(object.path != Paths::of(pipeline).streaming_view);
    found.has(object.kind, &object.path) && found.views[index] == columns
}

/// The step that gives the service user its public key, where it has none of that fingerprint.
fn key(settings: &Settings, found: &Found) -> Result<Option<Planned>, Reason> {
    let user = vec![settings.user.clone()];
    let key = settings.public_key.as_deref().map(PublicKey::parse);
    let (Some(Ok(key)), true) = (key, found.has(Kind::User, &user)) else { return Ok(None) };
    if found.keys.iter().flatten().any(|fingerprint| *fingerprint == key.fingerprint) {
        return Ok(None);
    }
    let slot = match &found.keys {
        [None, _] => Slot::First,
        [_, None] => Slot::Second,
        [Some(first), Some(second)] => return Err(refused::two_keys(settings, [first, second], &key)),
    };
    Ok(Some(Planned {
        what: format!("{} {} of user {}", slot.property(), key.fingerprint, settings.user),
        by: By::Administrator,
        statement: set_public_key(&settings.user, slot, &key),
        is_pipe: false,
    }))
}
