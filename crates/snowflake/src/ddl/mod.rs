//! The SQL that sets a pipeline up, and the queries that look at what it did.

mod grants;
mod names;
pub(crate) mod objects;
mod queries;

use landfall_core::Pipeline;

pub use self::grants::Grant;
pub(crate) use self::names::quoted_path;
pub use self::names::{EXTERNAL_ID, LANDING_BUCKET, PUBLIC_KEY, Paths, STORAGE_ROLE_ARN, Settings};
pub use self::objects::{Kind, Object};
pub use self::queries::{copy_into, load_errors_query, refresh_pipe, sample_query, validation_query};
use crate::sql::quoted;

/// A checked-in file of infra/snowflake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `01_account.sql`: they run in the order of their names.
    pub file_name: &'static str,
    /// Comments and statements.
    pub sql: String,
}

/// Who makes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// [`Settings::administrator_role`].
    Administrator,
    /// [`Settings::owner_role`].
    Owner,
}

impl By {
    /// The statement that takes the role on.
    pub fn use_role(self, settings: &Settings) -> String {
        let role = match self {
            Self::Administrator => &settings.administrator_role,
            Self::Owner => &settings.owner_role,
        };
        format!("USE ROLE {}", quoted(role))
    }
}

/// A statement of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes something.
    Make(Object),
    /// Gives a right to it.
    Grant(Grant),
}

impl Step {
    /// The statement.
    pub fn sql(&self) -> String {
        match self {
            Self::Make(object) => object.sql.clone(),
            Self::Grant(grant) => grant.sql(),
        }
    }
}

/// What one role makes, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its file.
    pub file_name: &'static str,
    /// What it is for, a comment's lines.
    pub what: &'static str,
    /// Whose role runs it.
    pub by: By,
    /// Its statements.
    pub steps: Vec<Step>,
}

/// Everything that the pipeline needs in Snowflake, in the order to run it in, with placeholders for what only an
/// account knows: [`LANDING_BUCKET`], [`STORAGE_ROLE_ARN`], [`EXTERNAL_ID`], [`PUBLIC_KEY`].
pub fn scripts(pipeline: &Pipeline) -> Vec<Script> {
    scripts_with(pipeline, &Settings::default())
}

/// The same for an account.
///
/// Each may run again at any time: nothing that holds data or a load history is ever replaced.
pub fn scripts_with(pipeline: &Pipeline, settings: &Settings) -> Vec<Script> {
    let scripts = sections(pipeline, settings).into_iter().map(|Section { file_name, what, by, steps }| {
        let statements = [by.use_role(settings)].into_iter().chain(steps.iter().map(Step::sql));
        Script {
            file_name,
            sql: format!(
                "-- {what}\n--\n-- May be run again at any time. Generated from pipeline.toml ({}): landfall snowflake \
                 ddl prints it,\n-- landfall snowflake apply runs what of it is missing.\n\n{};\n",
                pipeline.name,
                statements.collect::<Vec<_>>().join(";\n\n")
            ),
        }
    });
    scripts.collect()
}

/// The statements of [`scripts_with`], each by itself.
pub fn sections(pipeline: &Pipeline, settings: &Settings) -> Vec<Section> {
    let section = |file_name, what, by, steps| Section { file_name, what, by, steps };
    vec![
        section(
            "01_account.sql",
            "What an administrator makes: roles, warehouse, the service user, the database and the way to the bucket.\n--\n\
             -- Placeholders, each an option of landfall snowflake ddl and an output of Terraform's:\n\
             --   <landing-bucket>    the bucket that the orchestrator lands in\n\
             --   <storage-role-arn>  the role that Snowflake reads it with\n\
             --   <external-id>       the external id in that role's trust policy\n\
             --   <public-key>        the service user's public key: landfall snowflake keygen\n--\n\
             -- An integration that exists stays as it is: one that is replaced gets another identity, which the role in\n\
             -- AWS does not trust.",
            By::Administrator,
            account(pipeline, settings),
        ),
        section(
            "02_tables.sql",
            "The staging tables: where a row came from, then what the producer sent.\n-- A field that is added later \
             is no part of a table that exists: landfall snowflake apply adds it.",
            By::Owner,
            tables(pipeline, settings),
        ),
        section(
            "03_views.sql",
            "What to query: each row once, seen through its position, even where it landed in two objects.",
            By::Owner,
            views(pipeline, settings),
        ),
        section(
            "04_landing.sql",
            "From the landing zone into the table: file format, stage and pipe.\n--\n-- A pipe that exists stays as it \
             is: one that is replaced forgets what it has loaded, and loads it twice.",
            By::Owner,
            landing(pipeline, settings),
        ),
    ]
}

/// The role above all that make objects: what it has, administrators see.
const SYSADMIN: &str = "SYSADMIN";

/// Who has the owner's role, so that the administrator sees what it owns and takes it on.
pub(crate) fn owner_to_administrator(settings: &Settings) -> Grant {
    let is_above = [SYSADMIN, "ACCOUNTADMIN"].contains(&settings.administrator_role.as_str());
    let to = if is_above { SYSADMIN } else { &settings.administrator_role };
    Grant::role(&settings.owner_role, to, false)
}

fn account(pipeline: &Pipeline, settings: &Settings) -> Vec<Step> {
    let Settings { owner_role: owner, loader_role: loader, .. } = settings;
    let (warehouse, database) = (objects::warehouse(settings), objects::database(pipeline));
    let integration = objects::integration(pipeline, settings);
    let grant = |privilege, on: &Object, role: &str| Step::Grant(Grant::privilege(privilege, on.kind, &on.path, role));
    let grants = [
        grant("USAGE", &warehouse, owner),
        grant("USAGE", &warehouse, loader),
        grant("USAGE", &database, owner),
        grant("CREATE SCHEMA", &database, owner),
        grant("USAGE", &database, loader),
        grant("USAGE", &integration, owner),
    ];
    let mut steps = vec![
        Step::Make(objects::role(owner, "Owns the tables, views, stage and pipe of Landfall.")),
        Step::Make(objects::role(loader, "Reads and adds rows of Landfall, and changes nothing else.")),
        Step::Grant(Grant::role(owner, SYSADMIN, false)),
        Step::Grant(Grant::role(loader, SYSADMIN, false)),
        Step::Make(warehouse),
        Step::Make(objects::user(settings)),
        Step::Grant(Grant::role(loader, &settings.user, true)),
        Step::Make(database),
        Step::Make(integration),
    ];
    let to_administrator = Step::Grant(owner_to_administrator(settings));
    if !steps.contains(&to_administrator) {
        steps.insert(2, to_administrator);
    }
    steps.extend(grants);
    steps
}

fn tables(pipeline: &Pipeline, settings: &Settings) -> Vec<Step> {
    let (paths, loader, schema) = (Paths::of(pipeline), &settings.loader_role, objects::schema(pipeline));
    let grant = |privilege, on, path: &[String]| Step::Grant(Grant::privilege(privilege, on, path, loader));
    vec![
        Step::Make(schema.clone()),
        Step::Make(objects::table(pipeline, &paths.streaming, "Rows that upsert merged in: each position once.")),
        Step::Make(objects::table(pipeline, &paths.microbatch, "Rows that Snowpipe loaded from the landing zone.")),
        grant("USAGE", Kind::Schema, &schema.path),
        grant("SELECT", Kind::Table, &paths.streaming),
        grant("INSERT", Kind::Table, &paths.streaming),
        grant("SELECT", Kind::Table, &paths.microbatch),
    ]
}

fn views(pipeline: &Pipeline, settings: &Settings) -> Vec<Step> {
    let (paths, loader) = (Paths::of(pipeline), &settings.loader_role);
    vec![
        Step::Make(objects::view(pipeline, &paths.streaming_view, &paths.streaming)),
        Step::Make(objects::view(pipeline, &paths.microbatch_view, &paths.microbatch)),
        Step::Grant(Grant::privilege("SELECT", Kind::View, &paths.streaming_view, loader)),
        Step::Grant(Grant::privilege("SELECT", Kind::View, &paths.microbatch_view, loader)),
    ]
}

/// The pipe last: it may have to wait for the role in AWS to trust the integration.
fn landing(pipeline: &Pipeline, settings: &Settings) -> Vec<Step> {
    let (paths, loader) = (Paths::of(pipeline), &settings.loader_role);
    vec![
        Step::Make(objects::file_format(&paths)),
        Step::Make(objects::stage(pipeline, settings, &paths)),
        Step::Grant(Grant::privilege("USAGE", Kind::Stage, &paths.stage, loader)),
        Step::Make(objects::pipe(pipeline, &paths)),
        Step::Grant(Grant::privilege("MONITOR", Kind::Pipe, &paths.pipe, loader)),
    ]
}

#[cfg(test)]
mod tests;
