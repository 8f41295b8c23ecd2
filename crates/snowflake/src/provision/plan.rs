//! What is to be made, and what is refused.

use std::fmt;

use landfall_core::Pipeline;

use super::found::{Found, Integration};
use crate::ddl::{By, Kind, Object, Paths, Settings, Step, quoted_path, sections};
use crate::key::{PublicKey, Slot, set_public_key, unset_public_key};
use crate::schema_change::{self, SchemaError};
use crate::sql::{literal, quoted};

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

/// What an account has and cannot become what the pipeline needs without losing something; nothing has been changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Each with what to run by hand, once it is clear that nothing of worth is lost.
    pub reasons: Vec<(String, Vec<String>)>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.reasons.len();
        write!(
            f,
            "failed to plan: {n} change{} refused, and nothing has been changed",
            if n == 1 { " is" } else { "s are" }
        )?;
        for (what, by_hand) in &self.reasons {
            write!(f, "\n\n  {what}\n  By hand:")?;
            for line in by_hand {
                write!(f, "\n    {line}{}", if line.starts_with("--") { "" } else { ";" })?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// What to make.
///
/// # Errors
/// Everything that is refused, at once.
pub fn plan(pipeline: &Pipeline, settings: &Settings, found: &Found) -> Result<Plan, Refused> {
    let mut reasons = Vec::new();
    reasons.extend(found.integration.as_ref().and_then(|there| other_integration(pipeline, settings, there)));
    reasons.extend(found.stage_url.as_ref().and_then(|url| other_stage(pipeline, settings, url)));
    let key = key(settings, found).unwrap_or_else(|reason| {
        reasons.push(reason);
        None
    });
    let changes = schema_change::plan(pipeline, &found.deployed).unwrap_or_else(|error| {
        reasons.extend(other_tables(pipeline, &error));
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

type Reason = (String, Vec<String>);

fn other_integration(pipeline: &Pipeline, settings: &Settings, there: &Integration) -> Option<Reason> {
    let name = quoted(&settings.integration);
    let location = settings.location(pipeline);
    let (mut what, mut sql) = (Vec::new(), Vec::new());
    if there.role_arn != settings.storage_role_arn {
        what.push(format!("reads with {} and not with {}", there.role_arn, settings.storage_role_arn));
        sql.push(format!(
            "ALTER STORAGE INTEGRATION {name} SET STORAGE_AWS_ROLE_ARN = {}",
            literal(&settings.storage_role_arn)
        ));
    }
    if there.external_id != settings.external_id {
        what.push(format!("gives the external id {} and not {}", there.external_id, settings.external_id));
        sql.push(format!(
            "ALTER STORAGE INTEGRATION {name} SET STORAGE_AWS_EXTERNAL_ID = {}",
            literal(&settings.external_id)
        ));
    }
    if !there.locations.split(',').any(|there| there.trim() == location) {
        what.push(format!("may read {} and not {location}", there.locations));
        let all =
            there.locations.split(',').map(str::trim).filter(|there| !there.is_empty()).chain([location.as_str()]);
        let all: Vec<_> = all.map(literal).collect();
        sql.push(format!("ALTER STORAGE INTEGRATION {name} SET STORAGE_ALLOWED_LOCATIONS = ({})", all.join(", ")));
    }
    if what.is_empty() {
        return None;
    }
    let what = format!(
        "the integration {} {}; other stages may live by that, so name another (--integration) or change it",
        settings.integration,
        what.join(", ")
    );
    Some((what, sql))
}

fn other_stage(pipeline: &Pipeline, settings: &Settings, url: &str) -> Option<Reason> {
    let location = settings.location(pipeline);
    if url == location {
        return None;
    }
    let paths = Paths::of(pipeline);
    let (stage, pipe) = (quoted_path(&paths.stage), quoted_path(&paths.pipe));
    let what = format!(
        "the stage {} is {url} and not {location}: a pipe forgets what it has loaded when its stage goes elsewhere, and \
         loads what is still there twice",
        paths.stage.join(".")
    );
    let sql = vec![
        "-- Once SYSTEM$PIPE_STATUS says that nothing is pending, and the old prefix is empty:".to_owned(),
        format!("ALTER PIPE {pipe} SET PIPE_EXECUTION_PAUSED = TRUE"),
        format!("ALTER STAGE {stage} SET URL = {}", literal(&location)),
        format!("DROP PIPE {pipe}"),
        "-- and then landfall snowflake apply again".to_owned(),
    ];
    Some((what, sql))
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
        _ => {
            let what = format!("the user {} has two public keys, and neither is {}", settings.user, key.fingerprint);
            let by_hand = vec![
                "-- the one that is no longer in use: DESC USER shows both fingerprints".to_owned(),
                unset_public_key(&settings.user, Slot::First),
            ];
            return Err((what, by_hand));
        }
    };
    Ok(Some(Planned {
        what: format!("{} {} of user {}", slot.property(), key.fingerprint, settings.user),
        by: By::Administrator,
        statement: set_public_key(&settings.user, slot, &key),
        is_pipe: false,
    }))
}

/// Nothing is dropped: the rows stay, under another name.
fn other_tables(pipeline: &Pipeline, error: &SchemaError) -> Vec<Reason> {
    let paths = Paths::of(pipeline);
    let reason = |refusal: &schema_change::Refusal| {
        let mut sql = vec!["-- The rows stay under another name; apply makes an empty table after that.".to_owned()];
        for path in [&paths.streaming, &paths.microbatch] {
            if !refusal.tables.contains(&path[2]) {
                continue;
            }
            if *path == paths.microbatch {
                sql.push(
                    "-- What the pipe has not loaded yet was written for the old columns: empty the prefix first."
                        .to_owned(),
                );
                sql.push(format!("DROP PIPE IF EXISTS {}", quoted_path(&paths.pipe)));
            }
            let old = [path[0].clone(), path[1].clone(), format!("{}_OLD", path[2])];
            sql.push(format!("ALTER TABLE {} RENAME TO {}", quoted_path(path), quoted_path(&old)));
        }
        (format!("{}: {}; {}", refusal.tables.join(" and "), refusal.what, refusal.remedy), sql)
    };
    error.refusals.iter().map(reason).collect()
}
