# One page to see that it works: from left to right as a record goes, from top to bottom from what matters to why.
#
# Metrics of our own are written out, `["Landfall", "<metric>"], local.of_<function>`, so that a test can hold the names against the
# functions' code.

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = local.widgets })
}

locals {
  n_columns = 3

  alarm_arns = concat([for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn], aws_cloudwatch_composite_alarm.stalled[*].arn)

  panels = concat(
    [
      {
        title  = "Into the stream"
        stat   = "Sum"
        y      = "records or bytes a minute"
        series = [["AWS/Kinesis", "IncomingRecords", "StreamName", var.name], ["AWS/Kinesis", "IncomingBytes", "StreamName", var.name, { yAxis = "right" }]]
      },
      {
        title = "Out of it: rows, and what became none"
        stat  = "Sum"
        y     = "a minute"
        series = [
          concat(["Landfall", "Records"], local.of_orchestrator),
          concat(["Landfall", "Rows"], local.of_orchestrator),
          concat(["Landfall", "DeadLetters"], local.of_orchestrator, [{ yAxis = "right", color = "#d62728" }]),
        ]
      },
      {
        title = "Arrival in the stream until durable"
        stat  = "p50"
        y     = "ms"
        series = [
          concat(["Landfall", "ArrivalToDurableMs"], local.of_orchestrator, [{ label = "p50" }]),
          concat(["Landfall", "ArrivalToDurableMs"], local.of_orchestrator, [{ label = "p99", stat = "p99" }]),
          concat(["Landfall", "ArrivalToDurableMs"], local.of_orchestrator, [{ label = "max", stat = "Maximum" }]),
        ]
      },
      {
        title = "Poison and rejected rows"
        stat  = "Sum"
        y     = "documents a minute"
        series = [
          concat(["Landfall", "Poison"], local.of_orchestrator),
          concat(["Landfall", "Rejected"], local.of_orchestrator),
        ]
      },
      {
        title = "Landed"
        stat  = "Sum"
        y     = "objects or bytes a minute"
        series = [
          concat(["Landfall", "Objects"], local.of_orchestrator),
          concat(["Landfall", "LandedBytes"], local.of_orchestrator, [{ yAxis = "right" }]),
        ]
      },
      {
        title = "What an invocation's time goes to"
        stat  = "p50"
        y     = "ms"
        series = [
          concat(["Landfall", "LandingMs"], local.of_orchestrator, [{ label = "landing p50" }]),
          concat(["Landfall", "LandingMs"], local.of_orchestrator, [{ label = "landing p99", stat = "p99" }]),
          concat(["Landfall", "UpsertMs"], local.of_orchestrator, [{ label = "upsert p50" }]),
          concat(["Landfall", "UpsertMs"], local.of_orchestrator, [{ label = "upsert p99", stat = "p99" }]),
        ]
      },
      {
        title = "Age of the oldest record not yet taken"
        stat  = "Maximum"
        y     = "ms"
        series = [
          ["AWS/Lambda", "IteratorAge", "FunctionName", local.names.orchestrator],
          ["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", var.name],
        ]
      },
      {
        title = "Snowpipe, as reconcile sees it"
        stat  = "Maximum"
        y     = "rows or ms"
        series = [
          concat(["Landfall", "MicrobatchMissing"], local.of_reconcile),
          concat(["Landfall", "MicrobatchLagMs"], local.of_reconcile, [{ yAxis = "right" }]),
        ]
      },
      {
        title = "Given up"
        stat  = "Sum"
        y     = "records"
        series = [
          ["AWS/Lambda", "OnFailureDestinationDeliveredEventCount", "EventSourceMappingUUID", aws_lambda_event_source_mapping.stream.uuid],
          ["AWS/Lambda", "DestinationDeliveryFailures", "FunctionName", local.names.orchestrator],
        ]
      },
      {
        title = "Duplicates, which retries make"
        stat  = "Sum"
        y     = "rows a minute"
        series = concat(
          [concat(["Landfall", "Duplicates"], local.of_orchestrator, [{ label = "orchestrator" }])],
          var.upsert ? [concat(["Landfall", "Duplicates"], local.of_upsert, [{ label = "upsert" }])] : [],
        )
      },
      {
        title = "Errors and throttles"
        stat  = "Sum"
        y     = "invocations a minute"
        series = concat(
          [for function in sort(local.functions) : ["AWS/Lambda", "Errors", "FunctionName", local.names[function]]],
          [for function in sort(local.functions) : ["AWS/Lambda", "Throttles", "FunctionName", local.names[function]]],
        )
      },
      {
        title = "The stream's limits"
        stat  = "Sum"
        y     = "refused requests"
        series = [
          ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName", var.name],
          ["AWS/Kinesis", "ReadProvisionedThroughputExceeded", "StreamName", var.name],
        ]
      },
    ],
    local.upsert_panels,
    local.firehose_panels,
  )

  upsert_panels = [for panel in [
    {
      title = "Upserted"
      stat  = "Sum"
      y     = "rows a minute"
      series = [
        concat(["Landfall", "Rows"], local.of_upsert),
        concat(["Landfall", "Inserted"], local.of_upsert),
        concat(["Landfall", "Rejected"], local.of_upsert),
      ]
    },
    {
      title = "MERGE"
      stat  = "p50"
      y     = "ms"
      series = [
        concat(["Landfall", "MergeMs"], local.of_upsert, [{ label = "p50" }]),
        concat(["Landfall", "MergeMs"], local.of_upsert, [{ label = "p99", stat = "p99" }]),
        concat(["Landfall", "MergeMs"], local.of_upsert, [{ label = "max", stat = "Maximum" }]),
      ]
    },
  ] : panel if var.upsert]

  firehose_panels = [for panel in [
    {
      title = "The Firehose route: transform"
      stat  = "Sum"
      y     = "a minute"
      series = [
        concat(["Landfall", "Records"], local.of_transform),
        concat(["Landfall", "Rows"], local.of_transform),
        concat(["Landfall", "Poison"], local.of_transform, [{ yAxis = "right", color = "#d62728" }]),
        concat(["Landfall", "DeadLetters"], local.of_transform, [{ yAxis = "right", color = "#9467bd" }]),
      ]
    },
    {
      title = "The Firehose route: landed by transform, for want of room"
      stat  = "Sum"
      y     = "objects or bytes a minute"
      series = [
        concat(["Landfall", "Objects"], local.of_transform),
        concat(["Landfall", "LandedBytes"], local.of_transform, [{ yAxis = "right" }]),
      ]
    },
    {
      title = "The Firehose route: what it gives up"
      stat  = "Sum"
      y     = "records a minute"
      series = [
        concat(["Landfall", "Failed"], local.of_transform),
        ["AWS/Firehose", "ExecuteProcessing.Success", "DeliveryStreamName", var.name, { stat = "Minimum", yAxis = "right" }],
      ]
    },
    {
      title = "The Firehose route: age of what is delivered"
      stat  = "Maximum"
      y     = "s"
      series = [
        ["AWS/Firehose", "DeliveryToS3.DataFreshness", "DeliveryStreamName", var.name],
      ]
    },
    {
      title = "The Firehose route: partitions"
      stat  = "Maximum"
      y     = "open partitions"
      series = [
        ["AWS/Firehose", "PartitionCount", "DeliveryStreamName", var.name],
        ["AWS/Firehose", "PartitionCountExceeded", "DeliveryStreamName", var.name, { yAxis = "right" }],
      ]
    },
  ] : panel if var.firehose]

  # Three to a row, below the alarms.
  widgets = concat(
    [{
      type       = "alarm"
      x          = 0
      y          = 0
      width      = 24
      height     = 3
      properties = { title = "Alarms", alarms = local.alarm_arns }
    }],
    [for i, panel in local.panels : {
      type   = "metric"
      x      = 8 * (i % local.n_columns)
      y      = 3 + 6 * floor(i / local.n_columns)
      width  = 8
      height = 6
      properties = {
        title   = panel.title
        region  = var.region
        view    = "timeSeries"
        period  = 60
        stat    = panel.stat
        metrics = panel.series
        yAxis   = { left = { label = panel.y, min = 0, showUnits = false }, right = { min = 0, showUnits = false } }
      }
    }],
  )
}
