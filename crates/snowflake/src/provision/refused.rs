//! What is refused, because it would lose something or fail half-way.

use std::fmt;

use landfall_core::Pipeline;

use super::found::{Found, Integration};
use crate::ddl::{Kind, Paths, Settings, owner_to_administrator, quoted_path};
use crate::key::{PublicKey, Slot, unset_public_key};
use crate::schema_change::{Refusal, SchemaError};
use crate::sql::{literal, quoted};

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

/// What is refused, with what to run by hand.
pub(super) type Reason = (String, Vec<String>);

/// All that is refused but for the user's key and the tables' columns.
pub(super) fn reasons(pipeline: &Pipeline, settings: &Settings, found: &Found) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(unseen(settings, found));
    reasons.extend(found.foreign.iter().map(|(kind, path, owner)| foreign(settings, *kind, path, owner)));
    reasons.extend(found.user_type.as_ref().and_then(|sort| other_user(settings, sort)));
    reasons.extend(found.integration.as_ref().and_then(|there| other_integration(pipeline, settings, there)));
    reasons.extend(found.stage_url.as_ref().and_then(|url| other_stage(pipeline, settings, url)));
    reasons
}

/// What the owner has, only those see who have its role: without that, all of it would look as if it was not there.
fn unseen(settings: &Settings, found: &Found) -> Option<Reason> {
    let grant = owner_to_administrator(settings);
    let has_something = found.grants.iter().any(|(to, _, on, _)| *to == settings.owner_role && on != Kind::Role.sql());
    if !has_something || found.is_granted(&grant) {
        return None;
    }
    let what = format!(
        "{} has not been given {}, so {} does not see what is there",
        grant.to, settings.owner_role, settings.administrator_role
    );
    Some((what, vec![grant.sql()]))
}

fn foreign(settings: &Settings, kind: Kind, path: &[String], owner: &str) -> Reason {
    let (name, sql) = (path.join("."), kind.sql());
    let what = format!(
        "the {} {name} belongs to {owner} and not to {}, which could neither use nor grant it; name another in \
         pipeline.toml, or hand it over",
        sql.to_lowercase(),
        settings.owner_role
    );
    let grant = format!(
        "GRANT OWNERSHIP ON {sql} {} TO ROLE {} COPY CURRENT GRANTS",
        quoted_path(path),
        quoted(&settings.owner_role)
    );
    (what, vec![grant])
}

fn other_user(settings: &Settings, sort: &str) -> Option<Reason> {
    if sort.eq_ignore_ascii_case("SERVICE") {
        return None;
    }
    let what = format!(
        "the user {} is of type {sort} and not SERVICE: it may be a person's, who logs in with a password; name another \
         (--user) or change it",
        settings.user
    );
    Some((what, vec![format!("ALTER USER {} SET TYPE = SERVICE", quoted(&settings.user))]))
}

fn other_integration(pipeline: &Pipeline, settings: &Settings, there: &Integration) -> Option<Reason> {
    let location = settings.location(pipeline);
    let (mut what, mut set) = (Vec::new(), Vec::new());
    if there.role_arn != settings.storage_role_arn {
        what.push(format!("reads with {} and not with {}", there.role_arn, settings.storage_role_arn));
    }
    if there.external_id != settings.external_id {
        what.push(format!("gives the external id {} and not {}", there.external_id, settings.external_id));
    }
    if !what.is_empty() {
        // Together: one without the other is an identity that the role in AWS does not trust.
        set.push(format!("STORAGE_AWS_ROLE_ARN = {}", literal(&settings.storage_role_arn)));
        set.push(format!("STORAGE_AWS_EXTERNAL_ID = {}", literal(&settings.external_id)));
    }
    let allowed = || there.locations.split(',').map(str::trim).filter(|there| !there.is_empty());
    if !allowed().any(|there| covers(there, &location)) {
        what.push(format!("may read {} and not {location}", there.locations));
        let all: Vec<_> = allowed().chain([location.as_str()]).map(literal).collect();
        set.push(format!("STORAGE_ALLOWED_LOCATIONS = ({})", all.join(", ")));
    }
    if there.is_disabled {
        what.push("is switched off".to_owned());
        set.push("ENABLED = TRUE".to_owned());
    }
    if what.is_empty() {
        return None;
    }
    let what = format!(
        "the integration {} {}; other stages may live by that, so name another (--integration) or change it",
        settings.integration,
        what.join(", ")
    );
    Some((what, vec![format!("ALTER STORAGE INTEGRATION {} SET {}", quoted(&settings.integration), set.join(" "))]))
}

/// Whether an allowed location holds another: `*` is every one, a bucket or a folder all that is in it.
fn covers(allowed: &str, location: &str) -> bool {
    let folder = allowed.trim_end_matches('/');
    allowed == "*" || location.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn other_stage(pipeline: &Pipeline, settings: &Settings, url: &str) -> Option<Reason> {
    let location = settings.location(pipeline);
    if url == location {
        return None;
    }
    let paths = Paths::of(pipeline);
    let what = format!(
        "the stage {} is {url} and not {location}: a pipe forgets what it has loaded when its stage goes elsewhere",
        paths.stage.join(".")
    );
    let mut sql = drained(&paths);
    sql.push(format!("DROP PIPE {}", quoted_path(&paths.pipe)));
    sql.push(format!("ALTER STAGE {} SET URL = {}", quoted_path(&paths.stage), literal(&location)));
    sql.extend(AGAIN.map(str::to_owned));
    Some((what, sql))
}

/// What comes before a pipe is dropped, for it takes with it what it was told of.
fn drained(paths: &Paths) -> Vec<String> {
    vec![
        "-- 1. Stop landing: mapping_enabled = false in terraform.tfvars, and terraform apply. That does not stop"
            .to_owned(),
        "--    Firehose: where it lands, firehose = false too two buffer intervals later, and terraform apply."
            .to_owned(),
        "-- 2. Wait for \"pendingFileCount\":0, and for landfall reconcile to find nothing missing. What is not"
            .to_owned(),
        "--    loaded by then is not loaded any more:".to_owned(),
        format!("SELECT SYSTEM$PIPE_STATUS({})", literal(&quoted_path(&paths.pipe))),
        "-- 3. Only then:".to_owned(),
    ]
}

/// Firehose reads on from when it is made, so what came while there was none is the orchestrator's to land.
const AGAIN: [&str; 4] = [
    "-- Then landfall snowflake apply; and mapping_enabled = true, with terraform apply.",
    "-- Where Firehose landed: not yet firehose = true. The orchestrator lands what has waited; after that as in",
    "-- docs/operations.md, From one way of landing to the other. For Firehose begins with what comes after it was",
    "-- made: what reconcile finds missing is there under Read a stretch of the stream again.",
];

/// Which of them is in use, only the secret knows: so neither statement is one to run as it stands.
pub(super) fn two_keys(settings: &Settings, there: [&str; 2], key: &PublicKey) -> Reason {
    let what = format!("the user {} has two public keys, and neither is {}", settings.user, key.fingerprint);
    let mut by_hand = vec![
        "-- One may be in use: landfall snowflake keygen --rotate shows the fingerprint of the key in the secret."
            .to_owned(),
        "-- Take away the other one, and that alone:".to_owned(),
    ];
    for (fingerprint, slot) in there.iter().zip([Slot::First, Slot::Second]) {
        by_hand.push(format!("-- {fingerprint}: {};", unset_public_key(&settings.user, slot)));
    }
    (what, by_hand)
}

/// Nothing is dropped but what holds no row: the rows stay, under another name.
pub(super) fn tables(pipeline: &Pipeline, error: &SchemaError) -> Vec<Reason> {
    let paths = Paths::of(pipeline);
    let reason = |refusal: &Refusal| {
        let mut sql = Vec::new();
        let is_changed = |path: &[String]| refusal.tables.contains(&path[2]);
        if is_changed(&paths.microbatch) {
            sql.extend(drained(&paths));
            sql.push(format!("DROP PIPE IF EXISTS {}", quoted_path(&paths.pipe)));
            sql.push(format!("DROP STAGE IF EXISTS {}", quoted_path(&paths.stage)));
        }
        for path in [&paths.streaming, &paths.microbatch].into_iter().filter(|path| is_changed(path)) {
            let old = [path[0].clone(), path[1].clone(), format!("{}_OLD", path[2])];
            sql.push(format!("ALTER TABLE {} RENAME TO {}", quoted_path(path), quoted_path(&old)));
        }
        if is_changed(&paths.microbatch) {
            sql.extend([
                "-- 4. In pipeline.toml, name a new prefix in [landing]: the objects under the old one have the old"
                    .to_owned(),
                "--    columns, and belong to the old table. Build, and terraform apply.".to_owned(),
            ]);
            sql.extend(AGAIN.map(str::to_owned));
        } else {
            sql.push("-- The rows stay under that name; landfall snowflake apply makes an empty table.".to_owned());
        }
        (format!("{}: {}; {}", refusal.tables.join(" and "), refusal.what, refusal.remedy), sql)
    };
    error.refusals.iter().map(reason).collect()
}
