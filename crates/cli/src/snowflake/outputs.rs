//! What Terraform says about AWS's side, and what it is told about Snowflake's.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;

/// The file that Terraform reads by itself.
pub(super) const TFVARS: &str = "snowflake.auto.tfvars.json";

/// Where Terraform's outputs are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OutputsOptions {
    /// Ask Terraform itself: the folder that it was applied in.
    #[arg(long, value_name = "DIR", conflicts_with = "outputs")]
    pub(crate) terraform: Option<PathBuf>,

    /// Read what `terraform output -json` printed; - is stdin.
    #[arg(long, value_name = "FILE")]
    pub(crate) outputs: Option<PathBuf>,
}

/// Terraform's outputs by their names: texts, and numbers as text. The others are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outputs(BTreeMap<String, String>);

#[derive(Deserialize)]
struct Output {
    value: Value,
}

/// The variables that Terraform knows the values of, each with its output.
const VARIABLES: [(&str, &str); 6] = [
    ("SNOWFLAKE_ACCOUNT", "snowflake_account"),
    ("SNOWFLAKE_URL", "snowflake_url"),
    ("SNOWFLAKE_USER", "snowflake_user"),
    ("SNOWFLAKE_ROLE", "snowflake_role"),
    ("SNOWFLAKE_WAREHOUSE", "snowflake_warehouse"),
    ("SNOWFLAKE_PRIVATE_KEY_SECRET", "snowflake_secret_arn"),
];

impl OutputsOptions {
    /// Whether any are named.
    pub(crate) fn are_named(&self) -> bool {
        self.terraform.is_some() || self.outputs.is_some()
    }

    /// The outputs; none where none are named.
    pub(crate) fn read(&self) -> anyhow::Result<Outputs> {
        if let Some(dir) = &self.terraform {
            return Outputs::parse(&from_terraform(dir)?);
        }
        let Some(file) = &self.outputs else { return Ok(Outputs::default()) };
        if file.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            return Outputs::parse(&text);
        }
        let text = std::fs::read_to_string(file).map_err(|error| Failure {
            what: format!("failed to read {}: {error}", file.display()),
            remedy: "write it with terraform output -json, or give --terraform DIR".to_owned(),
        })?;
        Outputs::parse(&text)
    }

    /// Where Terraform reads what it is told, unless `tfvars` says otherwise.
    pub(super) fn tfvars(&self, tfvars: Option<&Path>) -> PathBuf {
        match (tfvars, &self.terraform) {
            (Some(file), _) => file.to_owned(),
            (None, Some(dir)) => dir.join(TFVARS),
            (None, None) => PathBuf::from(TFVARS),
        }
    }
}

fn from_terraform(dir: &Path) -> anyhow::Result<String> {
    let failure = |said: &str, remedy: &str| Failure {
        what: format!("failed to ask Terraform in {}: {said}", dir.display()),
        remedy: remedy.to_owned(),
    };
    let chdir = format!("-chdir={}", dir.display());
    let mut terraform = Command::new("terraform");
    terraform.args([chdir.as_str(), "output", "-json"]);
    // An administrator's secrets are none of Terraform's, nor of its providers'.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SNOWFLAKE_ADMIN_")) {
        terraform.env_remove(name);
    }
    let output = terraform.output().map_err(|error| {
        failure(&error.to_string(), "install terraform, or give what terraform output -json prints with --outputs FILE")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || "│╷╵".contains(c)));
        let said: Vec<_> = said.filter(|line| !line.is_empty()).collect();
        return Err(failure(&said.join(" "), "run terraform init and terraform apply there first").into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Outputs {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let outputs: BTreeMap<String, Output> = serde_json::from_str(text).map_err(|error| Failure {
            what: format!("failed to read Terraform's outputs: {error}"),
            remedy: "give what terraform output -json prints, whole".to_owned(),
        })?;
        let text = |(name, output): (String, Output)| match output.value {
            Value::String(text) => Some((name, text)),
            Value::Number(number) => Some((name, number.to_string())),
            _ => None,
        };
        Ok(Self(outputs.into_iter().filter_map(text).collect()))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they say of one of the variables that `landfall` and the functions read; empty where it is to be left out.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let (_, output) = VARIABLES.iter().find(|(variable, _)| *variable == name)?;
        self.0.get(*output).map(String::as_str)
    }

    /// One that may be there. An empty one is not.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All of these.
    ///
    /// # Errors
    /// Which are missing.
    pub(super) fn all<const N: usize>(&self, names: [&str; N]) -> anyhow::Result<[String; N]> {
        let missing: Vec<_> = names.into_iter().filter(|name| self.get(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(Failure {
                what: format!("failed to find {} among Terraform's outputs", missing.join(", ")),
                remedy: "terraform apply first, and give --terraform DIR or --outputs FILE".to_owned(),
            }
            .into());
        }
        Ok(names.map(|name| self.get(name).unwrap_or_default().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_all_at_once() {
        let json = r#"{"a":{"sensitive":false,"type":"string","value":"x"},"b":{"value":""},"n":{"value":1},"c":{"value":null}}"#;
        let outputs = Outputs::parse(json).unwrap();

        assert_eq!(outputs.all(["a", "n"]).unwrap(), ["x", "1"]);
        let error = outputs.all(["a", "b", "c"]).unwrap_err().to_string();
        assert_eq!(error, "failed to find b, c among Terraform's outputs");
        assert!(Outputs::parse("no outputs").is_err());
    }

    #[test]
    fn terraform_has_every_output_that_is_read() {
        let outputs = include_str!("../../../../infra/terraform/outputs.tf");
        let others = ["landing_bucket", "landing_prefix", "phase", "stream", "stream_arn", "event_source_mapping"];
        for name in VARIABLES.map(|(_, output)| output).into_iter().chain(others) {
            assert!(outputs.contains(&format!("output \"{name}\" {{")), "{name}");
        }
    }

    #[test]
    fn terraform_is_told_where_it_looks() {
        let options = OutputsOptions { terraform: Some("infra".into()), outputs: None };
        assert_eq!(options.tfvars(None), Path::new("infra/snowflake.auto.tfvars.json"));
        assert_eq!(options.tfvars(Some(Path::new("x.json"))), Path::new("x.json"));
        assert_eq!(OutputsOptions::default().tfvars(None), Path::new("snowflake.auto.tfvars.json"));
    }
}
