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

  # CloudWatch stamps what an invocation measures with its start, and one may last for minutes: in shorter periods than these, a
  # function that fails slowly would leave most of them without any data.
  #
  # A batch is tried again by itself, so its function has to fail in two of three periods to be worth waking somebody.
  lasting = { period = 300, evaluation_periods = 3, datapoints_to_alarm = 2, tells_when_over = true }
  # A state: what it was at its worst in the last period.
  now = { period = 300, evaluation_periods = 1, datapoints_to_alarm = 1, tells_when_over = true }
  # What is not mended by not being seen in the next period: nobody is told that it was not.
  once = merge(local.now, { tells_when_over = false })

  # Snowflake's own limit for a statement of upsert: `Timeouts::statement` in crates/core/src/config.rs.
  statement_timeout_ms = 40000

  # The mapping tries a batch for as long as its records live. Firehose tries a few times, and then gives it up.
  patience = { orchestrator = local.lasting, upsert = local.lasting, transform = local.once }

  of_lambda_function = { for function, name in local.names : function => ["FunctionName", name] }

  alarms = merge(
    {
      iterator-age = merge(local.now, {
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
      # Reconcile looks a while back: that a row is out of its sight does not load it, so neither of these two says that all is well.
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
      for function in local.functions : "${function}-errors" => merge(local.patience[function], {
        what       = "The function ${function} fails."
        metric     = ["AWS/Lambda", "Errors"]
        dimensions = local.of_lambda_function[function]
        statistic  = "Sum"
        threshold  = 0
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
    },
    {
      for function in local.functions : "${function}-throttles" => merge(local.patience[function], {
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
        what       = "Upsert takes more than four fifths of the ${local.statement_timeout_ms / 1000} s that Snowflake gives a statement."
        metric     = ["AWS/Lambda", "Duration"]
        dimensions = local.of_lambda_function.upsert
        statistic  = "Maximum"
        threshold  = local.statement_timeout_ms * 0.8
        operator   = "GreaterThanThreshold"
        missing    = "notBreaching"
      })
    },
    {
      for alarm, settings in {
        firehose-processing = merge(local.once, {
          what       = "An invocation by Firehose failed. After eight retries its records go to ${var.firehose_error_prefix}/, and Snowpipe never sees them."
          metric     = ["AWS/Firehose", "ExecuteProcessing.Success"]
          dimensions = ["DeliveryStreamName", var.name]
          # Successful invocations of all.
          statistic = "Minimum"
          threshold = 1
          operator  = "LessThanThreshold"
        })
        firehose-failed = merge(local.once, {
          what       = "The transform function refused records: Firehose puts them under ${var.firehose_error_prefix}/, and Snowpipe never sees them."
          metric     = ["Landfall", "Failed"]
          dimensions = local.of_transform
          statistic  = "Sum"
          threshold  = 0
          operator   = "GreaterThanThreshold"
        })
        firehose-poison = merge(local.once, {
          what       = "The transform function met poison: dead letters on the Firehose route."
          metric     = ["Landfall", "Poison"]
          dimensions = local.of_transform
          statistic  = "Sum"
          threshold  = 0
          operator   = "GreaterThanThreshold"
        })
        firehose-freshness = merge(local.now, {
          what       = "What Firehose delivers is older than three buffer intervals and five minutes."
          metric     = ["AWS/Firehose", "DeliveryToS3.DataFreshness"]
          dimensions = ["DeliveryStreamName", var.name]
          statistic  = "Maximum"
          threshold  = 3 * var.firehose_buffer_seconds + 300
          operator   = "GreaterThanThreshold"
        })
        firehose-partitions = merge(local.once, {
          what       = "Firehose has more partitions open than it takes; what is over goes to ${var.firehose_error_prefix}/."
          metric     = ["AWS/Firehose", "PartitionCountExceeded"]
          dimensions = ["DeliveryStreamName", var.name]
          statistic  = "Maximum"
          threshold  = 0
          operator   = "GreaterThanThreshold"
        })
      } : alarm => merge(settings, { missing = "notBreaching" }) if var.firehose
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
  ok_actions    = each.value.tells_when_over ? [aws_sns_topic.alarms.arn] : []
}

# Records come in, and nobody takes them: a mapping that is off has no metric of its own that would say so.
#
# Two alarms without actions and one of both, because a function that is not invoked has no datapoints at all, which an alarm
# can be told to take for a breach. In an expression of both metrics, nothing is made of a metric that never was.
resource "aws_cloudwatch_metric_alarm" "stalled" {
  for_each = {
    incoming = {
      metric     = ["AWS/Kinesis", "IncomingRecords"]
      dimensions = { StreamName = aws_kinesis_stream.this.name }
      operator   = "GreaterThanThreshold"
      threshold  = 0
      missing    = "notBreaching"
    }
    idle = {
      metric     = ["AWS/Lambda", "Invocations"]
      dimensions = { FunctionName = aws_lambda_function.orchestrator.function_name }
      operator   = "LessThanThreshold"
      threshold  = 1
      missing    = "breaching"
    }
  }

  alarm_name        = "${var.name}-stalled-${each.key}"
  alarm_description = "One half of ${var.name}-stalled: by itself it means nothing, and tells nobody. Runbook: docs/operations.md, stalled."

  namespace           = each.value.metric[0]
  metric_name         = each.value.metric[1]
  dimensions          = each.value.dimensions
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
}

resource "aws_cloudwatch_composite_alarm" "stalled" {
  alarm_name        = "${var.name}-stalled"
  alarm_description = "Records come in and the orchestrator is not invoked. Runbook: docs/operations.md, stalled."
  alarm_rule        = join(" AND ", [for half in ["idle", "incoming"] : "ALARM(\"${aws_cloudwatch_metric_alarm.stalled[half].alarm_name}\")"])

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
