# What `landfall` reads with --terraform, and what producers and people need. Nothing here is secret.

output "landing_bucket" {
  description = "Bucket of the landing zone."
  value       = aws_s3_bucket.landing.bucket
}

output "landing_prefix" {
  description = "Prefix of the landing zone, without a slash at its end, as in pipeline.toml."
  value       = local.landing_prefix
}

output "dead_letter_prefix" {
  description = "Prefix of the dead letters in the same bucket, as in pipeline.toml."
  value       = local.dead_letter_prefix
}

output "storage_role_arn" {
  description = "Role for Snowflake's storage integration (STORAGE_AWS_ROLE_ARN)."
  value       = aws_iam_role.storage.arn
}

output "storage_external_id" {
  description = "External id for it (STORAGE_AWS_EXTERNAL_ID)."
  value       = local.external_id
}

output "snowflake_secret_arn" {
  description = "Secret that holds the Snowflake user's private key, once landfall snowflake keygen has put it there."
  value       = aws_secretsmanager_secret.snowflake.arn
}

output "region" {
  description = "Region of all of this."
  value       = var.region
}

output "snowflake_account" {
  description = "Snowflake's account identifier."
  value       = var.snowflake_account
}

output "snowflake_user" {
  description = "The user that upsert logs in as; landfall snowflake apply makes it."
  value       = var.snowflake_user
}

output "snowflake_role" {
  description = "The role that upsert uses; empty: the user's default."
  value       = var.snowflake_role
}

output "snowflake_warehouse" {
  description = "The warehouse that upsert uses; empty: the user's default."
  value       = var.snowflake_warehouse
}

output "snowflake_url" {
  description = "The account's URL; empty: its usual one."
  value       = var.snowflake_url
}

output "phase" {
  description = "1: waits for landfall snowflake apply. 2: connected to Snowflake, and reading the stream unless mapping_enabled is false."
  value       = local.connected ? 2 : 1
}

output "stream" {
  description = "Name of the stream that producers write to."
  value       = aws_kinesis_stream.this.name
}

output "stream_arn" {
  description = "ARN of the stream, for the producers' policies."
  value       = aws_kinesis_stream.this.arn
}

output "key_arn" {
  description = "ARN of the customer key, for the producers' policies (kms:GenerateDataKey); null without one."
  value       = local.key_arn
}

output "orchestrator_function" {
  description = "Name of the orchestrator."
  value       = aws_lambda_function.orchestrator.function_name
}

output "event_source_mapping" {
  description = "UUID of the mapping from the stream to the orchestrator."
  value       = aws_lambda_event_source_mapping.stream.uuid
}

output "alarm_topic_arn" {
  description = "SNS topic that every alarm goes to."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard_url" {
  description = "Where to see that it works."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.this.dashboard_name}"
}

output "nat_ip" {
  description = "Address that the functions reach Snowflake from, for a network policy; null without a VPC."
  value       = one(aws_eip.nat[*].public_ip)
}

output "environment" {
  description = "What `landfall` and aws on your own machine need to find all of this: eval \"$(terraform output -raw environment)\"."
  value = join("\n", [
    for name, value in {
      AWS_REGION                   = var.region
      SNOWFLAKE_ACCOUNT            = var.snowflake_account
      SNOWFLAKE_USER               = var.snowflake_user
      SNOWFLAKE_ROLE               = var.snowflake_role
      SNOWFLAKE_WAREHOUSE          = var.snowflake_warehouse
      SNOWFLAKE_URL                = var.snowflake_url
      SNOWFLAKE_PRIVATE_KEY_SECRET = aws_secretsmanager_secret.snowflake.arn
    } : "export ${name}='${value}'" if value != ""
  ])
}
