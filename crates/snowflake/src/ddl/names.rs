//! What things in Snowflake are called.

use landfall_core::Pipeline;

use crate::sql::qualified;

/// What stands for the landing bucket in [`super::scripts`].
pub const LANDING_BUCKET: &str = "<landing-bucket>";

/// What stands for the role that Snowflake reads the bucket with.
pub const STORAGE_ROLE_ARN: &str = "<storage-role-arn>";

/// What stands for the external id in that role's trust policy.
pub const EXTERNAL_ID: &str = "<external-id>";

/// What stands for the service user's public key.
pub const PUBLIC_KEY: &str = "<public-key>";

/// What a pipeline.toml does not say: the names of an account's own objects, and what only AWS knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The role that makes roles, users, integrations and databases.
    pub administrator_role: String,
    /// The role that owns tables, views, stage and pipe.
    pub owner_role: String,
    /// The role that upsert uses: it reads and adds rows, and changes nothing else.
    pub loader_role: String,
    /// The user that upsert logs in as.
    pub user: String,
    /// The warehouse that runs upsert's statements.
    pub warehouse: String,
    /// The storage integration that reads the landing bucket.
    pub integration: String,
    /// The landing bucket.
    pub landing_bucket: String,
    /// The role that the integration reads it with.
    pub storage_role_arn: String,
    /// The external id in that role's trust policy.
    pub external_id: String,
    /// The service user's RSA public key: its base64, without the lines around it. `None` makes a user without one.
    pub public_key: Option<String>,
}

impl Default for Settings {
    /// The usual names, and placeholders for the rest.
    fn default() -> Self {
        Self {
            administrator_role: "ACCOUNTADMIN".to_owned(),
            owner_role: "LANDFALL_OWNER".to_owned(),
            loader_role: "LANDFALL_LOADER".to_owned(),
            user: "LANDFALL_LOADER".to_owned(),
            warehouse: "LANDFALL_WH".to_owned(),
            integration: "LANDFALL_INTEGRATION".to_owned(),
            landing_bucket: LANDING_BUCKET.to_owned(),
            storage_role_arn: STORAGE_ROLE_ARN.to_owned(),
            external_id: EXTERNAL_ID.to_owned(),
            public_key: Some(PUBLIC_KEY.to_owned()),
        }
    }
}

impl Settings {
    /// Where the landing zone is, as stage and integration name it.
    pub fn location(&self, pipeline: &Pipeline) -> String {
        format!("s3://{}/{}/", self.landing_bucket, pipeline.landing.prefix)
    }
}

/// Qualified names of what the pipeline owns in Snowflake, unquoted and in their parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The table that upsert merges into.
    pub streaming: Vec<String>,
    /// The table that Snowpipe loads.
    pub microbatch: Vec<String>,
    /// The view of the first that shows each position once.
    pub streaming_view: Vec<String>,
    /// The same of the second.
    pub microbatch_view: Vec<String>,
    /// How objects are read.
    pub file_format: Vec<String>,
    /// Where they are.
    pub stage: Vec<String>,
    /// What loads them.
    pub pipe: Vec<String>,
}

impl Paths {
    /// Those of a pipeline.
    pub fn of(pipeline: &Pipeline) -> Self {
        let target = &pipeline.snowflake;
        let path = |name: String| vec![target.database.clone(), target.schema.clone(), name];
        let (streaming, microbatch) = (&target.streaming_table, &target.microbatch_table);
        Self {
            streaming: path(streaming.clone()),
            microbatch: path(microbatch.clone()),
            streaming_view: path(format!("{streaming}_DEDUPLICATED")),
            microbatch_view: path(format!("{microbatch}_DEDUPLICATED")),
            // Named after the table that they load, so that two pipelines in one schema do not share them.
            file_format: path(format!("{microbatch}_FORMAT")),
            stage: path(format!("{microbatch}_STAGE")),
            pipe: path(format!("{microbatch}_PIPE")),
        }
    }
}

/// The same, quoted.
pub(super) struct Names {
    pub(super) streaming: String,
    pub(super) microbatch: String,
    pub(super) file_format: String,
    pub(super) stage: String,
    pub(super) pipe: String,
}

impl Names {
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let paths = Paths::of(pipeline);
        Self {
            streaming: quoted_path(&paths.streaming),
            microbatch: quoted_path(&paths.microbatch),
            file_format: quoted_path(&paths.file_format),
            stage: quoted_path(&paths.stage),
            pipe: quoted_path(&paths.pipe),
        }
    }
}

/// `"LANDFALL"."STAGING"."T"`.
pub(crate) fn quoted_path(path: &[String]) -> String {
    qualified(&path.iter().map(String::as_str).collect::<Vec<_>>())
}
