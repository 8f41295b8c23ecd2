# Every validation refuses what it is there for, all of a run at once: one that no longer refuses fails its run.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
}

variables {
  region            = "us-east-1"
  snowflake_account = "acme-prod"
  pipeline_file     = "tests/pipeline.toml"
  zips              = "tests/zips"
}

run "values_below_the_least" {
  command = plan
  variables {
    region                            = "Virginia"
    name                              = "Landfall"
    stream_mode                       = "SHARDED"
    shard_count                       = 0
    batch_size                        = 0
    batch_window_seconds              = -1
    parallelization_factor            = 0
    maximum_retry_attempts            = -2
    starting_position                 = "AT_TIMESTAMP"
    architecture                      = "arm"
    orchestrator_memory_mb            = 64
    upsert_memory_mb                  = 64
    transform_memory_mb               = 255
    orchestrator_timeout_seconds      = 74
    transform_timeout_seconds         = 124
    orchestrator_reserved_concurrency = 0
    upsert_reserved_concurrency       = 0
    transform_reserved_concurrency    = 0
    log_level                         = "WARN"
    log_retention_days                = 31
    landing_bucket                    = "s3://acme-landing"
    landing_expiration_days           = 14
    failure_expiration_days           = 29
    snowflake_account                 = "https://acme-prod.snowflakecomputing.com"
    snowflake_user                    = ""
    snowflake_url                     = "http://acme"
    snowflake_external_id             = "a b"
    snowflake_notification_channel    = "https://sqs.us-east-1.amazonaws.com/1/q"
    alarm_emails                      = ["nobody"]
    iterator_age_alarm_seconds        = 59
    snowpipe_lag_alarm_seconds        = 59
    firehose_buffer_mb                = 63
    firehose_buffer_seconds           = 59
    firehose_error_prefix             = "kinesiscsv/errors"
    vpc_cidr                          = "10.0.0.0/8"
    secret_recovery_days              = 3
  }

  expect_failures = [
    var.region,
    var.name,
    var.stream_mode,
    var.shard_count,
    var.batch_size,
    var.batch_window_seconds,
    var.parallelization_factor,
    var.maximum_retry_attempts,
    var.starting_position,
    var.architecture,
    var.orchestrator_memory_mb,
    var.upsert_memory_mb,
    var.transform_memory_mb,
    var.orchestrator_timeout_seconds,
    var.transform_timeout_seconds,
    var.orchestrator_reserved_concurrency,
    var.upsert_reserved_concurrency,
    var.transform_reserved_concurrency,
    var.log_level,
    var.log_retention_days,
    var.landing_bucket,
    var.landing_expiration_days,
    var.failure_expiration_days,
    var.snowflake_account,
    var.snowflake_user,
    var.snowflake_url,
    var.snowflake_external_id,
    var.snowflake_notification_channel,
    var.alarm_emails,
    var.iterator_age_alarm_seconds,
    var.snowpipe_lag_alarm_seconds,
    var.firehose_buffer_mb,
    var.firehose_buffer_seconds,
    var.firehose_error_prefix,
    var.vpc_cidr,
    var.secret_recovery_days,
  ]
}

run "values_above_the_most" {
  command = plan
  variables {
    name                         = "a-name-that-leaves-no-room-for-the-bucket"
    shard_count                  = 1.5
    batch_size                   = 10001
    batch_window_seconds         = 301
    parallelization_factor       = 11
    maximum_record_age_seconds   = 86400
    orchestrator_memory_mb       = 10241
    upsert_memory_mb             = 10241
    transform_memory_mb          = 10241
    orchestrator_timeout_seconds = 901
    transform_timeout_seconds    = 300
    upsert_reserved_concurrency  = 20
    landing_bucket               = "acme.landing"
    snowflake_account            = "acme-prod.snowflakecomputing.com"
    snowflake_url                = "https://app.snowflake.com/acme/prod"
    snowflake_iam_user_arn       = "abc1-b-self1234"
    firehose_buffer_mb           = 129
    firehose_buffer_seconds      = 901
    firehose_error_prefix        = "/errors"
    secret_recovery_days         = 31
  }

  expect_failures = [
    var.name,
    var.shard_count,
    var.batch_size,
    var.batch_window_seconds,
    var.parallelization_factor,
    var.maximum_record_age_seconds,
    var.orchestrator_memory_mb,
    var.upsert_memory_mb,
    var.transform_memory_mb,
    var.orchestrator_timeout_seconds,
    var.transform_timeout_seconds,
    var.upsert_reserved_concurrency,
    var.landing_bucket,
    var.snowflake_account,
    var.snowflake_url,
    var.snowflake_iam_user_arn,
    var.firehose_buffer_mb,
    var.firehose_buffer_seconds,
    var.firehose_error_prefix,
    var.secret_recovery_days,
  ]
}

run "parts_of_what_comes_in_whole" {
  command = plan
  variables {
    orchestrator_memory_mb            = 256.5
    upsert_memory_mb                  = 256.5
    transform_memory_mb               = 256.5
    upsert_timeout_seconds            = 60.5
    transform_timeout_seconds         = 180.5
    orchestrator_reserved_concurrency = 1.5
    upsert_reserved_concurrency       = 1.5
    transform_reserved_concurrency    = 1.5
    maximum_record_age_seconds        = 3600.5
    landing_expiration_days           = 15.5
    failure_expiration_days           = 30.5
    snowpipe_lag_alarm_seconds        = 60.5
    secret_recovery_days              = 7.5
    tags                              = { Project = "mine" }
    snowflake_user                    = "ada'; DROP"
    snowflake_role                    = "two words"
    snowflake_warehouse               = "\"WH\""
    firehose_error_prefix             = "aws"
  }

  expect_failures = [
    var.orchestrator_memory_mb,
    var.upsert_memory_mb,
    var.transform_memory_mb,
    var.upsert_timeout_seconds,
    var.transform_timeout_seconds,
    var.orchestrator_reserved_concurrency,
    var.upsert_reserved_concurrency,
    var.transform_reserved_concurrency,
    var.maximum_record_age_seconds,
    var.landing_expiration_days,
    var.failure_expiration_days,
    var.snowpipe_lag_alarm_seconds,
    var.secret_recovery_days,
    var.tags,
    var.snowflake_user,
    var.snowflake_role,
    var.snowflake_warehouse,
    var.firehose_error_prefix,
  ]
}

run "firehose_errors_among_dead_letters_a_tag_of_awss_and_parts_of_a_second" {
  command = plan
  variables {
    tags                         = { "aws:owner" = "me" }
    firehose_error_prefix        = "deadletter/firehose"
    orchestrator_timeout_seconds = 180.5
    iterator_age_alarm_seconds   = 60.5
  }

  expect_failures = [
    var.orchestrator_timeout_seconds,
    var.iterator_age_alarm_seconds,
    var.tags,
    var.firehose_error_prefix,
  ]
}

run "a_batch_in_pieces_needs_more_than_a_few_retries" {
  command = plan
  variables {
    maximum_retry_attempts = 0
  }

  expect_failures = [
    check.retries_for_batches_in_pieces,
  ]
}

run "tags_as_aws_takes_them" {
  command = plan
  variables {
    tags = { "cost centre" = "é/4+2=6 @home", empty = "" }
  }
}

run "upsert_ends_before_a_statement_does_and_an_alarm_is_too_late_to_act_on" {
  command = plan
  variables {
    upsert_timeout_seconds     = 58
    iterator_age_alarm_seconds = 43200
    zips                       = "tests/none"
  }

  expect_failures = [
    var.iterator_age_alarm_seconds,
    var.zips,
    var.upsert_timeout_seconds,
  ]
}

run "upsert_outlives_the_wait_for_it" {
  command = plan
  variables {
    upsert_timeout_seconds     = 65
    maximum_record_age_seconds = 59
  }

  expect_failures = [
    var.maximum_record_age_seconds,
    var.upsert_timeout_seconds,
  ]
}

run "the_orchestrator_hardly_outlives_upsert_and_nothing_is_left_to_do" {
  command = plan
  variables {
    upsert                       = false
    firehose                     = true
    upsert_timeout_seconds       = 64
    orchestrator_timeout_seconds = 78
  }

  expect_failures = [
    var.orchestrator_lands,
    var.orchestrator_timeout_seconds,
  ]
}

run "a_retention_of_less_than_a_day_and_no_pipeline" {
  command = plan
  variables {
    retention_hours = 23
    pipeline_file   = "tests/none.toml"
  }

  expect_failures = [
    var.retention_hours,
    var.pipeline_file,
  ]
}

run "a_retention_of_more_than_a_year_and_a_file_of_something_else" {
  command = plan
  variables {
    retention_hours = 8761
    pipeline_file   = "tests/settings.tftest.hcl"
  }

  expect_failures = [
    var.retention_hours,
    var.pipeline_file,
  ]
}

run "an_age_beyond_the_retention_and_a_channel_without_a_user" {
  command = plan
  variables {
    retention_hours                = 48
    maximum_record_age_seconds     = 172800
    snowflake_notification_channel = "arn:aws:sqs:us-east-1:999999999999:sf-snowpipe"
  }

  expect_failures = [
    var.maximum_record_age_seconds,
    var.snowflake_notification_channel,
  ]
}

# Not refused: it works, only worse.
run "too_few_functions_for_the_shards_are_a_warning" {
  command = plan
  variables {
    shard_count = 12
  }

  expect_failures = [
    check.orchestrators_for_every_shard,
    check.upserts_for_every_orchestrator,
  ]
}

run "so_are_too_few_for_firehose_and_for_a_stream_on_demand" {
  command = plan
  variables {
    stream_mode                       = "ON_DEMAND"
    firehose                          = true
    orchestrator_reserved_concurrency = 3
    upsert_reserved_concurrency       = 3
    transform_reserved_concurrency    = 3
  }

  expect_failures = [
    check.orchestrators_for_every_shard,
    check.upserts_for_every_orchestrator,
    check.transforms_for_every_shard,
  ]
}
