resource "aws_kinesis_stream" "this" {
  name             = var.name
  shard_count      = var.stream_mode == "PROVISIONED" ? var.shard_count : null
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = coalesce(local.key_arn, "alias/aws/kinesis")

  stream_mode_details {
    stream_mode = var.stream_mode
  }
}

# From the stream to the orchestrator. It never gives a batch up before its age, and keeps what it gives up.
resource "aws_lambda_event_source_mapping" "stream" {
  event_source_arn = aws_kinesis_stream.this.arn
  function_name    = aws_lambda_function.orchestrator.arn
  # Until Snowflake is there, every batch would fail; the records wait in the stream.
  enabled           = var.mapping_enabled && local.connected
  starting_position = var.starting_position

  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batch_window_seconds
  parallelization_factor             = var.parallelization_factor

  # Poison is never reported. Where records come to more than an invocation holds, the answer names the first that was not begun, for the
  # mapping to go on there. Without this setting Lambda does not look at answers: it would take the batch for done, and that rest for read.
  function_response_types        = ["ReportBatchItemFailures"]
  maximum_record_age_in_seconds  = local.maximum_record_age_seconds
  maximum_retry_attempts         = var.maximum_retry_attempts
  bisect_batch_on_function_error = var.bisect_on_error

  destination_config {
    on_failure {
      # Of the destinations, S3 alone gets the records and not only their positions.
      destination_arn = aws_s3_bucket.landing.arn
    }
  }

  # Counts what went to the destination, for the alarm on it.
  metrics_config {
    metrics = ["EventCount"]
  }

  # In phase 2 first the notification: what the mapping lands before it, Snowpipe never hears of.
  depends_on = [aws_iam_role_policy.function, aws_s3_bucket_notification.snowpipe]
}

locals {
  # An hour before the stream forgets it, so that the destination can still read what it stores.
  maximum_record_age_seconds = coalesce(var.maximum_record_age_seconds, min(604800, var.retention_hours * 3600 - 3600))
  # On demand, a stream begins with four shards, and may have more at any time.
  n_shards = var.stream_mode == "PROVISIONED" ? var.shard_count : 4
  n_lanes  = local.n_shards * var.parallelization_factor
}

check "orchestrators_for_every_shard" {
  assert {
    condition     = var.orchestrator_reserved_concurrency == -1 || var.orchestrator_reserved_concurrency >= local.n_lanes
    error_message = "orchestrator_reserved_concurrency is below shards x parallelization_factor (${local.n_lanes}): shards will wait for each other."
  }
}

check "retries_for_batches_in_pieces" {
  assert {
    condition     = var.maximum_retry_attempts == -1
    error_message = "maximum_retry_attempts is not -1: an outage of a few retries gives batches up, and so may a batch of compressed records that takes more invocations than that, though nothing failed."
  }
}

check "transforms_for_every_shard" {
  assert {
    condition     = !var.firehose || var.transform_reserved_concurrency == -1 || var.transform_reserved_concurrency >= local.n_shards
    error_message = "transform_reserved_concurrency is below the stream's shards (${local.n_shards}): Firehose will be throttled, and gives records up that it is refused for again and again."
  }
}

check "upserts_for_every_orchestrator" {
  assert {
    condition     = !var.upsert || var.upsert_reserved_concurrency == -1 || var.upsert_reserved_concurrency >= local.n_lanes
    error_message = "upsert_reserved_concurrency is below shards x parallelization_factor (${local.n_lanes}): invocations will be throttled and tried again. Larger batches need fewer at once."
  }
}
