# One role a function, with what it does and no more. A `*` stands only where AWS knows no narrower resource: X-Ray, and
# describing the network interfaces of a VPC.

resource "aws_iam_role" "function" {
  for_each = local.functions

  name        = local.names[each.key]
  description = "Landfall ${var.name}: the function ${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name = "landfall"
  role = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.log_and_trace[each.key], local.network[each.key], local.own_statements[each.key])
  })
}

locals {
  function_arns = {
    for function, name in local.names : function => "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${name}"
  }

  log_and_trace = {
    for function in local.functions : function => concat(
      [{
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function[function].arn}:*"
      }],
      [for _ in var.tracing ? [1] : [] : {
        Sid      = "Trace"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      }],
    )
  }

  own_statements = {
    orchestrator = concat(
      [
        {
          Sid    = "ReadStream"
          Effect = "Allow"
          Action = [
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
          ]
          Resource = aws_kinesis_stream.this.arn
        },
        {
          Sid    = "Land"
          Effect = "Allow"
          Action = ["s3:PutObject"]
          Resource = [
            # Also where Firehose lands: it never sees what is redriven, so the orchestrator lands that whatever LANDING says.
            "${aws_s3_bucket.landing.arn}/${local.landing_prefix}/*",
            "${aws_s3_bucket.landing.arn}/${local.dead_letter_prefix}/*",
            "${aws_s3_bucket.landing.arn}/${local.on_failure_prefix}/*",
          ]
        },
        {
          # The mapping looks whether its on-failure destination is there, in the function's name.
          Sid       = "FindBucket"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = aws_s3_bucket.landing.arn
          Condition = { StringEquals = { "aws:ResourceAccount" = local.account } }
        },
      ],
      [for _ in var.upsert ? [1] : [] : {
        Sid      = "InvokeUpsert"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = local.function_arns.upsert
      }],
      local.key_to_write,
    )

    upsert = concat(
      [{
        Sid      = "ReadKey"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = aws_secretsmanager_secret.snowflake.arn
      }],
      local.key_to_read,
    )

    transform = concat(
      [{
        # Poison, and rows that an answer has no room for.
        Sid    = "Land"
        Effect = "Allow"
        Action = ["s3:PutObject"]
        Resource = [
          "${aws_s3_bucket.landing.arn}/${local.landing_prefix}/*",
          "${aws_s3_bucket.landing.arn}/${local.dead_letter_prefix}/*",
        ]
      }],
      local.key_to_write,
    )
  }

  # In a VPC it is Lambda that needs an interface, by the function's role; the function's own code must not.
  network = {
    for function in local.functions : function => concat(
      [for _ in var.vpc ? [1] : [] : {
        Sid    = "Interfaces"
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = [
          for what in ["network-interface", "security-group", "subnet"] :
          "arn:${local.partition}:ec2:${var.region}:${local.account}:${what}/*"
        ]
      }],
      [for _ in var.vpc ? [1] : [] : {
        Sid      = "LookAtNetwork"
        Effect   = "Allow"
        Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        Resource = "*"
      }],
      [for _ in var.vpc ? [1] : [] : {
        Sid    = "NotTheFunction"
        Effect = "Deny"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
        ]
        Resource  = "*"
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arns[function] } }
      }],
    )
  }
}
