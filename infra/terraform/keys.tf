# One key of the customer's own, where asked for. Otherwise AWS's keys for Kinesis, S3 and Secrets Manager encrypt, at no cost.

resource "aws_kms_key" "own" {
  count = var.customer_key ? 1 : 0

  description             = "Landfall ${var.name}: stream, landing zone, secret, logs and alarms"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode({ Version = "2012-10-17", Statement = local.key_statements })
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
      Sid       = "Logs"
      Effect    = "Allow"
      Principal = { Service = "logs.${var.region}.${local.suffix}" }
      Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey"]
      Resource  = "*"
      Condition = {
        StringLike = {
          "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/*/${var.name}*"
        }
      }
    },
    {
      # An alarm that cannot use the topic's key reaches nobody.
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.${local.suffix}" }
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
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
