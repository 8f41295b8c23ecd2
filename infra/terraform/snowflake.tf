# What Snowflake needs of AWS: a key to log in with, a role to read the landing zone with, and word of new objects.
#
# Two phases, because each side names something of the other's. `landfall snowflake apply` reads the outputs of the first and
# writes snowflake.auto.tfvars.json for the second; nothing is copied by hand.

locals {
  # Phase 2: both of Snowflake's values are known.
  connected   = var.snowflake_iam_user_arn != "" && var.snowflake_notification_channel != ""
  external_id = coalesce(var.snowflake_external_id, "${var.name}-${substr(sha256("${local.account}/${var.region}/${var.name}"), 0, 16)}")
}

# The secret alone. Its value, the private key, is put there by `landfall snowflake keygen`, and so is in no state.
resource "aws_secretsmanager_secret" "snowflake" {
  name                    = "${var.name}/snowflake-key"
  description             = "Private key (PKCS#8 PEM) of the Snowflake user ${var.snowflake_user}."
  kms_key_id              = local.key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_iam_role" "storage" {
  name        = "${var.name}-snowflake-storage"
  description = "Landfall ${var.name}: Snowflake's storage integration reads the landing zone"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      # A role has to trust somebody: in phase 1, before Snowflake has named its user, this account.
      Principal = { AWS = coalesce(var.snowflake_iam_user_arn, "arn:${local.partition}:iam::${local.account}:root") }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = local.external_id } }
    }]
  })
}

resource "aws_iam_role_policy" "storage" {
  name = "landfall"
  role = aws_iam_role.storage.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadObjects"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:GetObjectVersion"]
          Resource = "${aws_s3_bucket.landing.arn}/${local.landing_prefix}/*"
        },
        {
          Sid       = "ListObjects"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = aws_s3_bucket.landing.arn
          Condition = { StringLike = { "s3:prefix" = ["${local.landing_prefix}/*"] } }
        },
        {
          Sid      = "FindBucket"
          Effect   = "Allow"
          Action   = ["s3:GetBucketLocation"]
          Resource = aws_s3_bucket.landing.arn
        },
      ],
      local.key_to_read,
    )
  })
}

# Of the landing prefix alone: dead letters and batches that were given up are no rows.
resource "aws_s3_bucket_notification" "snowpipe" {
  count = local.connected ? 1 : 0

  bucket = aws_s3_bucket.landing.id

  queue {
    id            = "snowpipe"
    queue_arn     = var.snowflake_notification_channel
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "${local.landing_prefix}/"
  }
}
