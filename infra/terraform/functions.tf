# The functions. Each reads its pipeline.toml from its zip.

locals {
  names     = { for function in ["orchestrator", "upsert", "transform"] : function => "${var.name}-${function}" }
  functions = toset(concat(["orchestrator"], var.upsert ? ["upsert"] : [], var.firehose ? ["transform"] : []))
  zips      = { for function in local.functions : function => "${var.zips}/${function}/bootstrap.zip" }

  pipeline_in_zip    = "/var/task/pipeline.toml"
  orchestrator_lands = coalesce(var.orchestrator_lands, !var.firehose)
}

# Made before the functions, or Lambda makes them itself and keeps their logs for ever.
resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${local.names[each.key]}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.key_arn
}

resource "aws_lambda_function" "orchestrator" {
  function_name = local.names.orchestrator
  description   = "Lands Kinesis records in S3 and has them upserted into Snowflake."
  role          = aws_iam_role.function["orchestrator"].arn

  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = local.zips.orchestrator
  source_code_hash = filebase64sha256(local.zips.orchestrator)

  memory_size                    = var.orchestrator_memory_mb
  timeout                        = var.orchestrator_timeout_seconds
  reserved_concurrent_executions = var.orchestrator_reserved_concurrency
  kms_key_arn                    = local.key_arn

  environment {
    variables = merge(
      {
        PIPELINE_FILE  = local.pipeline_in_zip
        LANDING_BUCKET = aws_s3_bucket.landing.bucket
        LANDING        = local.orchestrator_lands ? "on" : "off"
        UPSERT         = var.upsert ? "on" : "off"
      },
      var.upsert ? { UPSERT_FUNCTION = local.names.upsert } : {},
    )
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.function["orchestrator"].name
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "INFO"
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc ? ["vpc"] : []

    content {
      subnet_ids         = aws_subnet.private[*].id
      security_group_ids = aws_security_group.functions[*].id
    }
  }

  # After upsert: the one that asks must not be newer than the one that answers.
  depends_on = [aws_iam_role_policy.function, aws_lambda_function.upsert]
}

resource "aws_lambda_function" "upsert" {
  count = var.upsert ? 1 : 0

  function_name = local.names.upsert
  description   = "Merges rows into Snowflake's streaming table, each position once."
  role          = aws_iam_role.function["upsert"].arn

  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = local.zips.upsert
  source_code_hash = filebase64sha256(local.zips.upsert)

  memory_size                    = var.upsert_memory_mb
  timeout                        = var.upsert_timeout_seconds
  reserved_concurrent_executions = var.upsert_reserved_concurrency
  kms_key_arn                    = local.key_arn

  environment {
    variables = {
      for name, value in {
        PIPELINE_FILE                = local.pipeline_in_zip
        SNOWFLAKE_ACCOUNT            = var.snowflake_account
        SNOWFLAKE_USER               = var.snowflake_user
        SNOWFLAKE_ROLE               = var.snowflake_role
        SNOWFLAKE_WAREHOUSE          = var.snowflake_warehouse
        SNOWFLAKE_URL                = var.snowflake_url
        SNOWFLAKE_PRIVATE_KEY_SECRET = aws_secretsmanager_secret.snowflake.arn
      } : name => value if value != ""
    }
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.function["upsert"].name
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "INFO"
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc ? ["vpc"] : []

    content {
      subnet_ids         = aws_subnet.private[*].id
      security_group_ids = aws_security_group.functions[*].id
    }
  }

  depends_on = [aws_iam_role_policy.function]
}
