# The landing zone: CSV objects for Snowpipe, and beside them dead letters and batches that were given up.

resource "aws_s3_bucket" "landing" {
  bucket        = coalesce(var.landing_bucket, "${var.name}-landing-${local.account}-${var.region}")
  force_destroy = var.force_destroy

  # Its objects need the key for as long as they are there.
  depends_on = [aws_kms_key.own]
}

# A key names its bytes and is written once, so versions would hold nothing.
resource "aws_s3_bucket_versioning" "landing" {
  bucket = aws_s3_bucket.landing.id

  versioning_configuration {
    status = "Disabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "landing" {
  bucket = aws_s3_bucket.landing.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "landing" {
  bucket = aws_s3_bucket.landing.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id

  rule {
    # Many small objects: one data key for many of them, instead of a request to KMS each.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "landing" {
  bucket = aws_s3_bucket.landing.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.landing.arn, "${aws_s3_bucket.landing.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.landing]
}

resource "aws_s3_bucket_lifecycle_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id

  # Firehose writes in parts. One that was cut off is invisible, and billed.
  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = local.expirations

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = "${rule.value.prefix}/"
      }

      expiration {
        days = rule.value.days
      }
    }
  }
}

locals {
  expirations = {
    for what, expiration in {
      landing         = { prefix = local.landing_prefix, days = var.landing_expiration_days }
      dead-letters    = { prefix = local.dead_letter_prefix, days = var.failure_expiration_days }
      on-failure      = { prefix = local.on_failure_prefix, days = var.failure_expiration_days }
      firehose-errors = { prefix = var.firehose_error_prefix, days = var.failure_expiration_days }
    } : what => expiration if expiration.days > 0
  }
}
