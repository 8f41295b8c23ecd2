# The other way into the landing zone, for few large objects: Firehose reads the stream, the transform function makes CSV of it.

resource "aws_lambda_function" "transform" {
  count = var.firehose ? 1 : 0

  function_name = local.names.transform
  description   = "Turns records into CSV for Firehose."
  role          = aws_iam_role.function["transform"].arn

  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = local.zips.transform
  source_code_hash = filebase64sha256(local.zips.transform)

  memory_size                    = var.transform_memory_mb
  timeout                        = var.transform_timeout_seconds
  reserved_concurrent_executions = var.transform_reserved_concurrency
  kms_key_arn                    = local.key_arn

  environment {
    variables = {
      PIPELINE_FILE  = local.pipeline_in_zip
      LANDING_BUCKET = aws_s3_bucket.landing.bucket
    }
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.function["transform"].name
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

resource "aws_cloudwatch_log_group" "firehose" {
  count = var.firehose ? 1 : 0

  name              = "/aws/kinesisfirehose/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.key_arn
}

resource "aws_cloudwatch_log_stream" "firehose" {
  count = var.firehose ? 1 : 0

  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.firehose[0].name
}

resource "aws_iam_role" "firehose" {
  count = var.firehose ? 1 : 0

  name        = "${var.name}-firehose"
  description = "Landfall ${var.name}: Firehose"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "firehose" {
  count = var.firehose ? 1 : 0

  name = "landfall"
  role = aws_iam_role.firehose[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadStream"
          Effect   = "Allow"
          Action   = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
          Resource = aws_kinesis_stream.this.arn
        },
        {
          Sid      = "Transform"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"]
          Resource = [local.function_arns.transform, "${local.function_arns.transform}:$LATEST"]
        },
        {
          Sid    = "WriteObjects"
          Effect = "Allow"
          Action = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
          Resource = [
            "${aws_s3_bucket.landing.arn}/${local.landing_prefix}/*",
            "${aws_s3_bucket.landing.arn}/${var.firehose_error_prefix}/*",
          ]
        },
        {
          Sid      = "FindBucket"
          Effect   = "Allow"
          Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
          Resource = aws_s3_bucket.landing.arn
        },
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.firehose[0].arn}:log-stream:${aws_cloudwatch_log_stream.firehose[0].name}"
        },
      ],
      local.key_to_write,
    )
  })
}

resource "aws_kinesis_firehose_delivery_stream" "landing" {
  count = var.firehose ? 1 : 0

  name        = var.name
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.this.arn
    role_arn           = aws_iam_role.firehose[0].arn
  }

  extended_s3_configuration {
    role_arn   = aws_iam_role.firehose[0].arn
    bucket_arn = aws_s3_bucket.landing.arn

    # The layout of the landing zone, kinesiscsv/sensor-6/2026/11/20/14/, by what the transform function answers.
    prefix              = "${local.landing_prefix}/!{partitionKeyFromLambda:partition}/!{partitionKeyFromLambda:hour}/"
    error_output_prefix = "${var.firehose_error_prefix}/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    compression_format  = "GZIP"
    file_extension      = ".csv.gz"
    kms_key_arn         = local.key_arn

    buffering_size     = var.firehose_buffer_mb
    buffering_interval = var.firehose_buffer_seconds

    dynamic_partitioning_configuration {
      enabled        = true
      retry_duration = 300
    }

    processing_configuration {
      enabled = true

      # Its buffer is left at 1 MB and 60 s: an event and its answer have 6 MB each.
      processors {
        type = "Lambda"

        parameters {
          parameter_name  = "LambdaArn"
          parameter_value = "${aws_lambda_function.transform[0].arn}:$LATEST"
        }

        # Of an invocation that fails, times out or is throttled. Then Firehose gives its records up; 3 is its default.
        parameters {
          parameter_name  = "NumberOfRetries"
          parameter_value = "8"
        }
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose[0].name
      log_stream_name = aws_cloudwatch_log_stream.firehose[0].name
    }
  }

  depends_on = [aws_iam_role_policy.firehose]
}
