# Points the provider at moto instead of AWS. It belongs beside a copy of the module, which start.sh makes: beside the module itself
# it would point a real deployment at moto.

provider "aws" {
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  # A bucket has no host name of its own on 127.0.0.1.
  s3_use_path_style = true

  # moto forgets the stream's tags, which would be a difference for ever.
  default_tags {
    tags = {}
  }

  endpoints {
    cloudwatch     = var.moto
    cloudwatchlogs = var.moto
    ec2            = var.moto
    firehose       = var.moto
    iam            = var.moto
    kinesis        = var.moto
    kms            = var.moto
    lambda         = var.moto
    s3             = var.moto
    secretsmanager = var.moto
    sns            = var.moto
    sqs            = var.moto
    sts            = var.moto
  }
}

# moto has no alarms of alarms. terraform test holds this one instead.
resource "aws_cloudwatch_composite_alarm" "stalled" {
  count = 0
}

# moto takes a function's log settings and does not give them back. terraform test holds them instead.
resource "aws_lambda_function" "orchestrator" {
  lifecycle {
    ignore_changes = [logging_config]
  }
}

resource "aws_lambda_function" "upsert" {
  lifecycle {
    ignore_changes = [logging_config]
  }
}

resource "aws_lambda_function" "transform" {
  lifecycle {
    ignore_changes = [logging_config]
  }
}
