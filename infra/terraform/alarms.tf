# Each alarm goes to one topic, and has a runbook of its name in docs/operations.md.

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
  # AWS's own key for SNS lets no alarm through, so it is a key of one's own or none; a message holds names and numbers.
  kms_master_key_id = local.key_arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alarm_emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  # Dimensions of the functions' own metrics.
  of_orchestrator = ["Pipeline", local.pipeline_name, "Function", local.names.orchestrator]
  of_upsert       = ["Pipeline", local.pipeline_name, "Function", local.names.upsert]
  of_transform    = ["Pipeline", local.pipeline_name, "Function", local.names.transform]
  # `landfall reconcile --deployed --metrics` is no function; it says so in the place of one.
  of_reconcile = ["Pipeline", local.pipeline_name, "Function", "reconcile"]

  # A batch is tried again by itself, so a function has to fail for three of five minutes to be worth waking somebody.
  lasting = { period = 60, evaluation_periods = 5, datapoints_to_alarm = 3 }
  # What must not happen at all.
  once = { period = 300, evaluation_periods = 1, datapoints_to_alarm = 1 }

  of_lambda_function = { for function, name in local.names : function => ["FunctionName", name] }

  alarms = merge(
    {
      iterator-age = merge(local.lasting, {
        what       = "Records wait longer than ${var.iterator_age_alarm_seconds} s to be taken from the stream."
        metric     = ["AWS/Lambda", "IteratorAge"]
        dimensions = local.of_lambda_function.orchestrator
        statistic  = "Maximum"
        threshold  = var.iterator_age_alarm_seconds * 1000
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
      dead-letters = merge(local.once, {
        what       = "Documents became dead letters."
        metric     = ["Landfall", "DeadLetters"]
        dimensions = local.of_orchestrator
        statistic  = "Sum"
        threshold  = 0
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
      on-failure = merge(local.once, {
        what       = "Batches were given up and stored in the bucket, under ${local.on_failure_prefix}/."
        metric     = ["AWS/Lambda", "OnFailureDestinationDeliveredEventCount"]
        dimensions = ["EventSourceMappingUUID", aws_lambda_event_source_mapping.stream.uuid]
        statistic  = "Sum"
        threshold  = 0
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
      on-failure-lost = merge(local.once, {
        what       = "Batches were given up and could not be stored: their records are in the stream alone."
        metric     = ["AWS/Lambda", "DestinationDeliveryFailures"]
        dimensions = local.of_lambda_function.orchestrator
        statistic  = "Sum"
        threshold  = 0
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
      snowpipe-missing = merge(local.once, {
        what       = "Rows landed that Snowpipe has not loaded."
        metric     = ["Landfall", "MicrobatchMissing"]
        dimensions = local.of_reconcile
        statistic  = "Maximum"
        threshold  = 0
        operator   = "GreaterThanThreshold"
        # Reconcile runs when a schedule, or somebody, runs it.
        missing = "ignore"
      })
      snowpipe-lag = merge(local.once, {
        what       = "Snowpipe is more than ${var.snowpipe_lag_alarm_seconds} s behind."
        metric     = ["Landfall", "MicrobatchLagMs"]
        dimensions = local.of_reconcile
        statistic  = "Maximum"
        threshold  = var.snowpipe_lag_alarm_seconds * 1000
        operator   = "GreaterThanThreshold"
        missing    = "ignore"
      })
    },
    {
      for function in local.functions : "${function}-errors" => merge(local.lasting, {
        what       = "The function ${function} fails again and again."
        metric     = ["AWS/Lambda", "Errors"]
        dimensions = local.of_lambda_function[function]
        statistic  = "Sum"
        threshold  = 0
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
    },
    {
      for function in local.functions : "${function}-throttles" => merge(local.lasting, {
        what       = "The function ${function} is refused for want of concurrency."
        metric     = ["AWS/Lambda", "Throttles"]
        dimensions = local.of_lambda_function[function]
        statistic  = "Sum"
        threshold  = 0
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
    },
    {
      for alarm in var.upsert ? ["upsert-duration"] : [] : alarm => merge(local.lasting, {
        what       = "Upsert takes more than four fifths of its ${var.upsert_timeout_seconds} s."
        metric     = ["AWS/Lambda", "Duration"]
        dimensions = local.of_lambda_function.upsert
        statistic  = "Maximum"
        threshold  = var.upsert_timeout_seconds * 800
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
    },
    {
      for alarm, settings in {
        firehose-poison = {
          what       = "The transform function met poison: dead letters on the Firehose route."
          metric     = ["Landfall", "Poison"]
          dimensions = local.of_transform
          statistic  = "Sum"
          threshold  = 0
        }
        firehose-freshness = {
          what       = "What Firehose delivers is older than three buffer intervals and five minutes."
          metric     = ["AWS/Firehose", "DeliveryToS3.DataFreshness"]
          dimensions = ["DeliveryStreamName", var.name]
          statistic  = "Maximum"
          threshold  = 3 * var.firehose_buffer_seconds + 300
        }
        firehose-partitions = {
          what       = "Firehose has more partitions open than it takes; what is over goes to ${var.firehose_error_prefix}/."
          metric     = ["AWS/Firehose", "PartitionCountExceeded"]
          dimensions = ["DeliveryStreamName", var.name]
          statistic  = "Maximum"
          threshold  = 0
        }
        } : alarm => merge(local.once, settings, {
          operator = "GreaterThanThreshold"
          missing  = "notBreaching"
      }) if var.firehose
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.what} Runbook: docs/operations.md, ${each.key}."

  namespace   = each.value.metric[0]
  metric_name = each.value.metric[1]
  dimensions = {
    for i in range(0, length(each.value.dimensions), 2) : each.value.dimensions[i] => each.value.dimensions[i + 1]
  }

  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints_to_alarm
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

# Records come in, and nobody takes them: a mapping that is off has no metric of its own that would say so.
resource "aws_cloudwatch_metric_alarm" "stalled" {
  alarm_name        = "${var.name}-stalled"
  alarm_description = "Records come in and the orchestrator is not invoked. Runbook: docs/operations.md, stalled."

  evaluation_periods  = 3
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "stalled"
    label       = "records that nobody takes"
    expression  = "IF(FILL(invocations, 0) == 0, FILL(incoming, 0), 0)"
    return_data = true
  }

  metric_query {
    id = "incoming"

    metric {
      namespace   = "AWS/Kinesis"
      metric_name = "IncomingRecords"
      dimensions  = { StreamName = aws_kinesis_stream.this.name }
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "invocations"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Invocations"
      dimensions  = { FunctionName = aws_lambda_function.orchestrator.function_name }
      stat        = "Sum"
      period      = 300
    }
  }

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
