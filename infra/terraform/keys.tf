# One key of the customer's own, where asked for. Otherwise AWS's keys for Kinesis, S3 and Secrets Manager encrypt, at no cost.
#
# One way only: what is encrypted with it can be read with it alone, and a key whose deletion is scheduled reads nothing from that
# moment on.

resource "aws_kms_key" "own" {
  count = var.customer_key ? 1 : 0

  description             = "Landfall ${var.name}: stream, landing zone, secret, logs and alarms"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode({ Version = "2012-10-17", Statement = local.key_statements })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "own" {
  count = var.customer_key ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.own[0].key_id
}

locals {
  key_arn = one(aws_kms_key.own[*].arn)

  key_statements = [
    {
      # Without it nobody could administer the key. The roles' own policies say who may use it.
      Sid       = "Account"
      Effect    = "Allow"
      Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
      Action    = "kms:*"
      Resource  = "*"
    },
    {
      # The one service here whose name has region and partition in it.
      Sid       = "Logs"
      Effect    = "Allow"
      Principal = { Service = "logs.${var.region}.${local.suffix}" }
      Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
      Resource  = "*"
      Condition = {
        StringLike = {
          "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/*/${var.name}*"
        }
      }
    },
    {
      # Looking at the key has no encryption context that a condition could go by.
      Sid       = "LogsLook"
      Effect    = "Allow"
      Principal = { Service = "logs.${var.region}.${local.suffix}" }
      Action    = ["kms:DescribeKey"]
      Resource  = "*"
    },
    {
      # An alarm that cannot use the topic's key reaches nobody.
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
      Resource  = "*"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    },
  ]

  # What a role adds to its policy to read, or to read and write, what is encrypted with that key.
  key_to_read = [for arn in aws_kms_key.own[*].arn : {
    Sid      = "Decrypt"
    Effect   = "Allow"
    Action   = ["kms:Decrypt"]
    Resource = arn
  }]
  key_to_write = [for arn in aws_kms_key.own[*].arn : {
    Sid      = "Encrypt"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = arn
  }]
}
