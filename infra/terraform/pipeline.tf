# What pipeline.toml says about the landing zone. Terraform has no decoder for TOML; these few keys are read by the line, as
# `landfall init` writes them. The defaults are those of the pipeline itself.

locals {
  pipeline_text = file(var.pipeline_file)
  # Up to the first header of a table, and from [landing] to the next. A header begins its line: in a comment it is none.
  pipeline_head    = try(regex("(?ms)\\A(.*?)(?:^[ \\t]*\\[|\\z)", local.pipeline_text)[0], "")
  pipeline_landing = try(regex("(?ms)^[ \\t]*\\[[ \\t]*landing[ \\t]*\\](.*?)(?:^[ \\t]*\\[|\\z)", local.pipeline_text)[0], "")
  pipeline_name    = try(regex("(?m)^\\s*name\\s*=\\s*[\"']([^\"']+)[\"']", local.pipeline_head)[0], "")

  landing_prefix     = try(regex("(?m)^\\s*prefix\\s*=\\s*[\"']([^\"']+)[\"']", local.pipeline_landing)[0], "kinesiscsv")
  dead_letter_prefix = try(regex("(?m)^\\s*dead_letter_prefix\\s*=\\s*[\"']([^\"']+)[\"']", local.pipeline_landing)[0], "deadletter")
  # Lambda's own: aws/lambda/<mapping>/<shard>/yyyy/mm/dd/...
  on_failure_prefix = "aws/lambda"
}
