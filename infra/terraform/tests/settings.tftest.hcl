# What a plan says, without AWS: names, settings, phases, options.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
}

variables {
  region            = "us-east-1"
  snowflake_account = "acme-prod"
  pipeline_file     = "tests/pipeline.toml"
  zips              = "tests/zips"
}

run "a_deployment_of_defaults_is_as_designed_and_waits_for_snowflake" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.this.name == "landfall" && aws_kinesis_stream.this.shard_count == 1 && aws_kinesis_stream.this.retention_period == 24
    error_message = "the stream"
  }
  assert {
    condition     = aws_kinesis_stream.this.encryption_type == "KMS" && aws_kinesis_stream.this.kms_key_id == "alias/aws/kinesis"
    error_message = "the stream is encrypted, by AWS's key"
  }
  assert {
    condition     = aws_s3_bucket.landing.bucket == "landfall-landing-123456789012-us-east-1" && !aws_s3_bucket.landing.force_destroy
    error_message = "the bucket"
  }
  assert {
    condition     = aws_s3_bucket_versioning.landing.versioning_configuration[0].status == "Disabled"
    error_message = "versioning is off"
  }
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.landing.block_public_acls,
      aws_s3_bucket_public_access_block.landing.block_public_policy,
      aws_s3_bucket_public_access_block.landing.ignore_public_acls,
      aws_s3_bucket_public_access_block.landing.restrict_public_buckets,
    ])
    error_message = "public access is blocked"
  }
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.landing.rule :
      rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    ])
    error_message = "objects are encrypted by KMS"
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.landing.rule : rule.id] == ["unfinished-uploads"]
    error_message = "by default nothing that landed is deleted"
  }
  assert {
    condition     = local.alarms["on-failure"].metric[1] == "OnFailureDestinationDeliveredEventCount" && one([for config in aws_lambda_event_source_mapping.stream.metrics_config : tolist(config.metrics)]) == tolist(["EventCount"])
    error_message = "the mapping counts what its alarm looks at"
  }

  assert {
    condition     = aws_lambda_function.orchestrator.function_name == "landfall-orchestrator" && aws_lambda_function.upsert[0].function_name == "landfall-upsert"
    error_message = "names"
  }
  assert {
    condition = alltrue([
      for function in [aws_lambda_function.orchestrator, aws_lambda_function.upsert[0]] :
      function.runtime == "provided.al2023" && function.handler == "bootstrap" && function.architectures == tolist(["arm64"]) &&
      function.reserved_concurrent_executions == 10 && function.tracing_config[0].mode == "Active" &&
      function.logging_config[0].log_format == "JSON" && function.logging_config[0].application_log_level == "INFO"
    ])
    error_message = "runtime, architecture, concurrency, traces, logs"
  }
  assert {
    condition     = aws_lambda_function.upsert[0].timeout == 60 && aws_lambda_function.orchestrator.timeout == 180
    error_message = "time-outs"
  }
  assert {
    condition = aws_lambda_function.orchestrator.environment[0].variables == tomap({
      LANDING         = "on"
      LANDING_BUCKET  = "landfall-landing-123456789012-us-east-1"
      PIPELINE_FILE   = "/var/task/pipeline.toml"
      UPSERT          = "on"
      UPSERT_FUNCTION = "landfall-upsert"
    })
    error_message = "the orchestrator's environment"
  }
  assert {
    condition     = [for group in aws_cloudwatch_log_group.function : "${group.name} ${group.retention_in_days}"] == ["/aws/lambda/landfall-orchestrator 30", "/aws/lambda/landfall-upsert 30"]
    error_message = "log groups"
  }
  assert {
    condition     = length(aws_vpc.this) + length(aws_kms_key.own) + length(aws_kinesis_firehose_delivery_stream.landing) + length(aws_lambda_function.transform) == 0
    error_message = "options are off"
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.stream.batch_size == 100 &&
      aws_lambda_event_source_mapping.stream.maximum_batching_window_in_seconds == 1 &&
      aws_lambda_event_source_mapping.stream.parallelization_factor == 1
    )
    error_message = "batches"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.stream.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "what an answer names as left is delivered again, and not lost"
  }
  assert {
    condition = (
      aws_lambda_event_source_mapping.stream.maximum_record_age_in_seconds == 23 * 3600 &&
      aws_lambda_event_source_mapping.stream.maximum_retry_attempts == -1 &&
      aws_lambda_event_source_mapping.stream.bisect_batch_on_function_error == false
    )
    error_message = "a batch is tried until an hour before the stream forgets it, whole"
  }
  assert {
    condition     = length(aws_lambda_event_source_mapping.stream.destination_config[0].on_failure) == 1
    error_message = "what is given up is stored"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.stream.starting_position == "TRIM_HORIZON"
    error_message = "it begins with the oldest record"
  }

  assert {
    condition     = output.phase == 1 && !aws_lambda_event_source_mapping.stream.enabled && length(aws_s3_bucket_notification.snowpipe) == 0
    error_message = "no notification, and records wait in the stream"
  }
  assert {
    condition     = jsondecode(aws_iam_role.storage.assume_role_policy).Statement[0].Principal.AWS == "arn:aws:iam::123456789012:root"
    error_message = "the role trusts this account"
  }
  assert {
    condition     = jsondecode(aws_iam_role.storage.assume_role_policy).Statement[0].Condition.StringEquals["sts:ExternalId"] == output.storage_external_id
    error_message = "with the external id"
  }
}

run "alarms_see_functions_that_fail_slowly" {
  command = plan

  assert {
    condition = alltrue([
      for alarm in ["orchestrator-errors", "orchestrator-throttles", "upsert-errors", "upsert-throttles", "upsert-duration"] :
      aws_cloudwatch_metric_alarm.this[alarm].period == 300 &&
      aws_cloudwatch_metric_alarm.this[alarm].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this[alarm].datapoints_to_alarm == 2
    ])
    error_message = "an invocation of three minutes leaves a datapoint in two of three periods"
  }
  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) : alarm.period >= aws_lambda_function.orchestrator.timeout])
    error_message = "no period is shorter than an invocation"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["iterator-age"].evaluation_periods == 1 && aws_cloudwatch_metric_alarm.this["iterator-age"].statistic == "Maximum"
    error_message = "the age is what it is"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["upsert-duration"].threshold == 32000
    error_message = "four fifths of the 40 s after which Snowflake cancels a statement"
  }
  assert {
    condition = [for name, alarm in local.alarms : name if !alarm.tells_when_over] == ["dead-letters", "on-failure", "on-failure-lost", "snowpipe-lag", "snowpipe-missing"] && alltrue([
      for name, alarm in local.alarms : length(coalesce(aws_cloudwatch_metric_alarm.this[name].ok_actions, [])) == 0 if !alarm.tells_when_over
    ])
    error_message = "what is not seen again is not over by that"
  }
  assert {
    condition     = aws_cloudwatch_composite_alarm.stalled.alarm_rule == "ALARM(\"landfall-stalled-idle\") AND ALARM(\"landfall-stalled-incoming\")"
    error_message = "records come in, and nobody takes them"
  }
  assert {
    condition = {
      for half, alarm in aws_cloudwatch_metric_alarm.stalled : half => "${alarm.metric_name} ${alarm.comparison_operator} ${alarm.threshold} ${alarm.treat_missing_data}"
      } == {
      idle     = "Invocations LessThanThreshold 1 breaching"
      incoming = "IncomingRecords GreaterThanThreshold 0 notBreaching"
    }
    error_message = "a function that was never invoked has no datapoint, and is idle"
  }
}

run "between_the_phases_the_role_is_trusted_already" {
  command = plan
  variables {
    snowflake_iam_user_arn = "arn:aws:iam::999999999999:user/abc1-b-self1234"
  }

  assert {
    condition     = output.phase == 1 && jsondecode(aws_iam_role.storage.assume_role_policy).Statement[0].Principal.AWS == "arn:aws:iam::999999999999:user/abc1-b-self1234"
    error_message = "an apply between integration and pipe helps where the pipe wants to read at once"
  }
}

run "phase_2_connects" {
  command = plan
  variables {
    snowflake_iam_user_arn         = "arn:aws:iam::999999999999:user/abc1-b-self1234"
    snowflake_notification_channel = "arn:aws:sqs:us-east-1:999999999999:sf-snowpipe-AIDA-abc"
  }

  assert {
    condition     = output.phase == 2 && aws_lambda_event_source_mapping.stream.enabled
    error_message = "the mapping reads"
  }
  assert {
    condition     = jsondecode(aws_iam_role.storage.assume_role_policy).Statement[0].Principal.AWS == "arn:aws:iam::999999999999:user/abc1-b-self1234"
    error_message = "the role trusts Snowflake's user alone"
  }
  assert {
    condition = (
      aws_s3_bucket_notification.snowpipe[0].queue[0].queue_arn == "arn:aws:sqs:us-east-1:999999999999:sf-snowpipe-AIDA-abc" &&
      aws_s3_bucket_notification.snowpipe[0].queue[0].filter_prefix == "kinesiscsv/" &&
      aws_s3_bucket_notification.snowpipe[0].queue[0].events == toset(["s3:ObjectCreated:*"])
    )
    error_message = "Snowpipe hears of the landing prefix"
  }
}

run "a_pause_keeps_everything_but_the_mapping" {
  command = plan
  variables {
    mapping_enabled                = false
    snowflake_iam_user_arn         = "arn:aws:iam::999999999999:user/abc1-b-self1234"
    snowflake_notification_channel = "arn:aws:sqs:us-east-1:999999999999:sf-snowpipe-AIDA-abc"
  }

  assert {
    condition     = output.phase == 2 && !aws_lambda_event_source_mapping.stream.enabled
    error_message = "paused"
  }
}

run "what_pipeline_toml_says_is_said_once" {
  command = plan
  variables {
    pipeline_file           = "tests/other-pipeline.toml"
    firehose                = true
    landing_expiration_days = 90
    failure_expiration_days = 400
  }

  assert {
    condition     = local.pipeline_name == "orders" && output.landing_prefix == "rows/orders" && local.dead_letter_prefix == "dead/orders"
    error_message = "name and prefixes: ${local.pipeline_name}, ${local.landing_prefix}, ${local.dead_letter_prefix}"
  }
  assert {
    condition     = aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration[0].prefix == "rows/orders/!{partitionKeyFromLambda:partition}/!{partitionKeyFromLambda:hour}/"
    error_message = "Firehose's prefix"
  }
  assert {
    condition = { for rule in aws_s3_bucket_lifecycle_configuration.landing.rule : rule.id => "${rule.filter[0].prefix} ${rule.expiration[0].days}" if rule.id != "unfinished-uploads" } == {
      expire-landing         = "rows/orders/ 90"
      expire-dead-letters    = "dead/orders/ 400"
      expire-on-failure      = "aws/lambda/ 400"
      expire-firehose-errors = "firehose-errors/ 400"
    }
    error_message = "lifecycle"
  }
}

run "the_firehose_route" {
  command = plan
  variables {
    firehose = true
  }

  # So that a plan has all of a role's policy.
  override_resource {
    target          = aws_s3_bucket.landing
    override_during = plan
    values          = { arn = "arn:aws:s3:::bucket" }
  }
  override_resource {
    target          = aws_kinesis_stream.this
    override_during = plan
    values          = { arn = "arn:aws:kinesis:us-east-1:123456789012:stream/landfall" }
  }
  override_resource {
    target          = aws_cloudwatch_log_group.function
    override_during = plan
    values          = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:group" }
  }

  assert {
    condition     = aws_lambda_function.orchestrator.environment[0].variables.LANDING == "off" && aws_lambda_function.orchestrator.environment[0].variables.UPSERT == "on"
    error_message = "the orchestrator lands nothing"
  }
  assert {
    condition     = aws_lambda_function.transform[0].environment[0].variables == tomap({ LANDING_BUCKET = "landfall-landing-123456789012-us-east-1", PIPELINE_FILE = "/var/task/pipeline.toml" })
    error_message = "transform's environment"
  }
  assert {
    condition = length(setsubtract(
      [for prefix in ["kinesiscsv", "deadletter", "aws/lambda"] : "arn:aws:s3:::bucket/${prefix}/*"],
      flatten([for statement in jsondecode(aws_iam_role_policy.function["orchestrator"].policy).Statement : statement.Resource if statement.Sid == "Land"]),
    )) == 0
    error_message = "what is redriven Firehose never sees: the orchestrator may land it"
  }
  assert {
    condition = {
      for parameter in one(one(one(aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration).processing_configuration).processors).parameters :
      parameter.parameter_name => parameter.parameter_value
    }["NumberOfRetries"] == "8"
    error_message = "it tries more often than by default"
  }
  assert {
    condition = (
      aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration[0].buffering_size == 64 &&
      aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration[0].buffering_interval == 300 &&
      aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration[0].compression_format == "GZIP" &&
      aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration[0].dynamic_partitioning_configuration[0].enabled
    )
    error_message = "buffers, compression, partitions"
  }
  assert {
    condition = (
      aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration[0].prefix == "kinesiscsv/!{partitionKeyFromLambda:partition}/!{partitionKeyFromLambda:hour}/" &&
      startswith(aws_kinesis_firehose_delivery_stream.landing[0].extended_s3_configuration[0].error_output_prefix, "firehose-errors/")
    )
    error_message = "rows under the pipe's prefix, errors outside of it"
  }
  assert {
    condition     = length(setsubtract(["transform-errors", "transform-throttles", "firehose-processing", "firehose-failed", "firehose-poison", "firehose-freshness", "firehose-partitions"], keys(aws_cloudwatch_metric_alarm.this))) == 0
    error_message = "its alarms"
  }
  assert {
    condition = alltrue([
      for alarm in ["transform-errors", "transform-throttles", "firehose-processing", "firehose-failed"] :
      aws_cloudwatch_metric_alarm.this[alarm].evaluation_periods == 1 && length(coalesce(aws_cloudwatch_metric_alarm.this[alarm].ok_actions, [])) == 0
    ])
    error_message = "what Firehose may give up is told at the first failure, and its silence is no good news"
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["firehose-processing"].namespace == "AWS/Firehose" &&
      aws_cloudwatch_metric_alarm.this["firehose-processing"].metric_name == "ExecuteProcessing.Success" &&
      aws_cloudwatch_metric_alarm.this["firehose-processing"].dimensions == tomap({ DeliveryStreamName = "landfall" }) &&
      aws_cloudwatch_metric_alarm.this["firehose-processing"].comparison_operator == "LessThanThreshold" &&
      aws_cloudwatch_metric_alarm.this["firehose-processing"].statistic == "Minimum" &&
      aws_cloudwatch_metric_alarm.this["firehose-processing"].threshold == 1
    )
    error_message = "an invocation that failed, timed out or was refused"
  }
}

run "both_routes_land_while_one_takes_over" {
  command = plan
  variables {
    firehose           = true
    orchestrator_lands = true
  }

  assert {
    condition     = aws_lambda_function.orchestrator.environment[0].variables.LANDING == "on" && length(aws_kinesis_firehose_delivery_stream.landing) == 1
    error_message = "neither leaves anything to the other"
  }
}

run "landing_alone" {
  command = plan
  variables {
    upsert = false
  }

  assert {
    condition     = length(aws_lambda_function.upsert) == 0 && aws_lambda_function.orchestrator.environment[0].variables.UPSERT == "off" && !contains(keys(aws_lambda_function.orchestrator.environment[0].variables), "UPSERT_FUNCTION")
    error_message = "no upsert function"
  }
  assert {
    condition     = length([for alarm in keys(aws_cloudwatch_metric_alarm.this) : alarm if startswith(alarm, "upsert")]) == 0
    error_message = "and none of its alarms"
  }
}

run "a_network_of_ones_own" {
  command = plan
  variables {
    vpc = true
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.availability_zone] == ["us-east-1a", "us-east-1b"] && !anytrue([for subnet in aws_subnet.private : coalesce(subnet.map_public_ip_on_launch, false)])
    error_message = "two private subnets"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_lambda_function.orchestrator.vpc_config) == 1 && length(aws_lambda_function.upsert[0].vpc_config) == 1
    error_message = "the functions are in it"
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.tls[0].from_port == 443 && aws_vpc_security_group_egress_rule.tls[0].to_port == 443
    error_message = "out by TLS alone"
  }
}

run "a_key_of_ones_own" {
  command = plan
  variables {
    customer_key = true
  }

  assert {
    condition     = aws_kms_key.own[0].enable_key_rotation
    error_message = "it rotates"
  }
  assert {
    condition = {
      for statement in jsondecode(aws_kms_key.own[0].policy).Statement : statement.Sid => join(" ", concat([statement.Principal.Service], statement.Action)) if statement.Sid != "Account"
      } == {
      Alarms   = "cloudwatch.amazonaws.com kms:Decrypt kms:GenerateDataKey*"
      Logs     = "logs.us-east-1.amazonaws.com kms:Encrypt kms:Decrypt kms:ReEncrypt* kms:GenerateDataKey*"
      LogsLook = "logs.us-east-1.amazonaws.com kms:DescribeKey"
    }
    error_message = "services use it as their documentation says"
  }
}

run "an_on_demand_stream_has_no_shard_count" {
  command = plan
  variables {
    stream_mode     = "ON_DEMAND"
    retention_hours = 8760
  }

  assert {
    condition     = aws_kinesis_stream.this.stream_mode_details[0].stream_mode == "ON_DEMAND" && aws_kinesis_stream.this.shard_count == null
    error_message = "on demand"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.stream.maximum_record_age_in_seconds == 604800
    error_message = "Lambda takes no age above seven days"
  }
}

run "another_name_is_another_deployment" {
  command = plan
  variables {
    name = "acme-sensors"
  }

  assert {
    condition = alltrue([
      for name in [
        aws_kinesis_stream.this.name, aws_s3_bucket.landing.bucket, aws_lambda_function.orchestrator.function_name,
        aws_lambda_function.upsert[0].function_name, aws_iam_role.storage.name, aws_secretsmanager_secret.snowflake.name,
        aws_sns_topic.alarms.name, aws_cloudwatch_dashboard.this.dashboard_name, aws_cloudwatch_composite_alarm.stalled.alarm_name,
      ] : startswith(name, "acme-sensors")
    ])
    error_message = "every name begins with it"
  }
}
