//! Where events and rows go, and where to look for what they became.

use aws_config::SdkConfig;
use landfall_core::Pipeline;
use landfall_local::stack::{BUCKET, Connection, ORCHESTRATOR, UPSERT};

use super::ReplayOptions;
use super::invoke::Target;
use super::landed::Zone;
use crate::at_hand::AtHand;
use crate::console::Progress;
use crate::failure::Failure;
use crate::objects::{Place, PlaceName};
use crate::pipeline_file;

/// Which of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// Takes events.
    Orchestrator,
    /// Merges rows.
    Upsert,
}

impl Function {
    /// On the local stack.
    fn local_name(self) -> &'static str {
        match self {
            Self::Orchestrator => ORCHESTRATOR,
            Self::Upsert => UPSERT,
        }
    }

    /// What `cargo lambda watch` calls it.
    fn cargo_lambda_name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::Upsert => "upsert",
        }
    }
}

/// Where events and rows go, and where to look for what they became.
pub(super) struct Destination {
    pub(super) target: Target,
    pub(super) pipeline: Pipeline,
    pub(super) zone: Option<Zone>,
    pub(super) local: Option<Connection>,
    storage: Storage,
}

/// Whose S3 `s3://` is.
enum Storage {
    Local(String),
    Aws(Box<SdkConfig>),
    Nobody,
}

impl Destination {
    /// What the options name; a stack is started where none runs, unless nothing of it `is_needed`.
    pub(super) async fn prepare(
        options: &ReplayOptions,
        function: Function,
        is_needed: bool,
        progress: &Progress,
    ) -> anyhow::Result<(Self, Option<AtHand>)> {
        let name = options.function_name.as_deref();
        if let Some(endpoint) = &options.endpoint {
            let target = Target::at(endpoint, name.unwrap_or(function.cargo_lambda_name()));
            return Ok((Self::beside_a_stack(options, target).await?, None));
        }
        if let Some(name) = name {
            return Ok((Self::deployed(options, name).await?, None));
        }
        if !is_needed {
            // Nothing listens on port 0, and nothing is invoked.
            let target = Target::at("http://127.0.0.1:0", function.local_name());
            return Ok((Self::beside_a_stack(options, target).await?, None));
        }
        let at_hand = AtHand::get(&options.stack, progress).await?;
        let local = at_hand.connection.clone();
        let target = Target::at(&local.endpoints.lambda, function.local_name());
        Ok((Self::of_stack(target, local), Some(at_hand)))
    }

    /// A function of its own, with the stack that runs in the folder, if one does.
    async fn beside_a_stack(options: &ReplayOptions, target: Target) -> anyhow::Result<Self> {
        if let Some(local) = Connection::find(&options.stack.dir).await? {
            options.stack.check(&local)?;
            return Ok(Self::of_stack(target, local));
        }
        let pipeline = pipeline_file::load(options.stack.pipeline.as_deref())?.pipeline;
        Ok(Self { target, pipeline, zone: None, local: None, storage: Storage::Nobody })
    }

    /// A function, and nothing to look at.
    #[cfg(test)]
    pub(super) fn nowhere(target: Target, pipeline: Pipeline) -> Self {
        Self { target, pipeline, zone: None, local: None, storage: Storage::Nobody }
    }

    fn of_stack(target: Target, local: Connection) -> Self {
        Self {
            target,
            pipeline: local.pipeline.clone(),
            zone: Some(Zone::local(&local.endpoints.s3, BUCKET)),
            storage: Storage::Local(local.endpoints.s3.clone()),
            local: Some(local),
        }
    }

    async fn deployed(options: &ReplayOptions, name: &str) -> anyhow::Result<Self> {
        let pipeline = pipeline_file::load(options.stack.pipeline.as_deref())?.pipeline;
        let aws = landfall_aws::aws_config().await?;
        let target = Target::deployed(&aws, name);
        let bucket = match &options.bucket {
            Some(bucket) => Some(bucket.clone()),
            // Upsert has none.
            None if options.landing.is_some() => None,
            None => target.landing_bucket().await,
        };
        let zone = bucket.map(|bucket| Zone::deployed(&aws, &bucket));
        Ok(Self { target, pipeline, zone, local: None, storage: Storage::Aws(Box::new(aws)) })
    }

    /// The objects that a name on the command line stands for.
    ///
    /// # Errors
    /// It is on the S3 of a stack, and none runs.
    pub(super) fn place(&self, name: &PlaceName) -> anyhow::Result<Place> {
        match (&self.storage, name) {
            (Storage::Local(endpoint), _) => Ok(Place::local(name, endpoint)),
            (Storage::Aws(aws), _) => Ok(Place::deployed(name, aws)),
            (Storage::Nobody, PlaceName::Folder(path)) => Ok(Place::Folder(path.clone())),
            (Storage::Nobody, PlaceName::S3 { .. }) => {
                let what = format!(
                    "failed to read {name}: with --endpoint that is the S3 of the stack in --dir, and none runs there"
                );
                Err(Failure { what, remedy: "start it: landfall dev".to_owned() }.into())
            }
        }
    }

    /// Whether `s3://` is AWS's own.
    pub(super) fn is_deployed(&self) -> bool {
        matches!(self.storage, Storage::Aws(_))
    }
}
