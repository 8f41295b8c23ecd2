# What a deployment chooses. Only `region` and `snowflake_account` have no default.

# --- Names ---

variable "region" {
  description = "AWS region of everything here, for example us-east-1. Choose the one your Snowflake account is in: loading from another region is billed as transfer."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is no AWS region; write it as us-east-1."
  }
}

variable "name" {
  description = "Prefix of every name: the stream is called this, the functions <name>-orchestrator, <name>-upsert and <name>-transform. Another name is another deployment, beside the first."
  type        = string
  default     = "landfall"

  validation {
    # With -landing-, an account of 12 digits and a region of 14 characters, a bucket's 63 are full.
    condition     = can(regex("^[a-z][a-z0-9-]{0,24}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 26 lower-case letters, digits and hyphens, beginning with a letter and not ending in a hyphen."
  }
}

variable "tags" {
  description = "Tags of everything that can have some, beside Project and Deployment."
  type        = map(string)
  default     = {}

  validation {
    condition = length(var.tags) <= 48 && alltrue([
      for key, value in var.tags :
      can(regex("^[\\pL\\pN _.:/=+@-]{1,128}$", key)) && can(regex("^[\\pL\\pN _.:/=+@-]{0,256}$", value)) &&
      !startswith(lower(key), "aws:") && !contains(["Project", "Deployment"], key)
    ])
    error_message = "tags must be at most 48, of letters, digits, spaces and _.:/=+@-, keys up to 128 of them and values up to 256; no key may begin with aws: or be Project or Deployment, which are there already."
  }
}

variable "pipeline_file" {
  description = "Path of the pipeline.toml that is in the functions' zips, seen from where Terraform runs. The pipeline's name and the prefixes of landing zone and dead letters are read from it, so that they are said once."
  type        = string
  default     = "../../pipeline.toml"

  validation {
    condition = (
      can(regex("(?m)^\\s*name\\s*=\\s*[\"'][^\"']+[\"']", regex("(?ms)\\A(.*?)(?:^[ \\t]*\\[|\\z)", file(var.pipeline_file))[0])) &&
      can(regex("(?m)^\\s*\\[\\s*landing\\s*\\]", file(var.pipeline_file)))
    )
    error_message = "pipeline_file is no readable pipeline.toml with a name on a line of its own at its head and a [landing] section; check it with: landfall check FILE."
  }
}

variable "zips" {
  description = "Folder with the functions' zips as `cargo lambda build --output-format zip` leaves them (docs/operations.md, step 1): <folder>/orchestrator/bootstrap.zip, upsert/bootstrap.zip and, for the Firehose route, transform/bootstrap.zip."
  type        = string
  default     = "../../target/lambda"

  validation {
    condition = alltrue([
      for function in concat(["orchestrator"], var.upsert ? ["upsert"] : [], var.firehose ? ["transform"] : []) :
      fileexists("${var.zips}/${function}/bootstrap.zip")
    ])
    error_message = "zips holds no bootstrap.zip of every function that is deployed; build them: docs/operations.md, step 1."
  }
}

# --- The stream ---

variable "stream_mode" {
  description = "PROVISIONED: you choose the number of shards. ON_DEMAND: Kinesis does, up to twice the peak of the last 30 days. A stream may be switched twice in 24 hours."
  type        = string
  default     = "PROVISIONED"

  validation {
    condition     = contains(["PROVISIONED", "ON_DEMAND"], var.stream_mode)
    error_message = "stream_mode must be PROVISIONED or ON_DEMAND."
  }
}

variable "shard_count" {
  description = "Shards of a provisioned stream. Each takes 1 MB/s or 1,000 records/s, whichever comes first. Ignored when on demand."
  type        = number
  default     = 1

  validation {
    condition     = var.shard_count >= 1 && var.shard_count <= 10000 && floor(var.shard_count) == var.shard_count
    error_message = "shard_count must be a whole number from 1 to 10000."
  }
}

variable "retention_hours" {
  description = "Hours that the stream keeps a record: how long an outage may last before anything is lost. 24 to 8760 (365 days); above 24 it costs extra."
  type        = number
  default     = 24

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760 && floor(var.retention_hours) == var.retention_hours
    error_message = "retention_hours must be a whole number from 24 to 8760."
  }
}

# --- The event source mapping ---

variable "mapping_enabled" {
  description = "False pauses the orchestrator; records wait in the stream, for retention_hours at most. Before both Snowflake values are known (phase 1) the mapping is off whatever this says."
  type        = bool
  default     = true
}

variable "batch_size" {
  description = "Most records of one invocation. More makes fewer and larger objects and statements, and a longer wait; an event has 6 MB at most in any case."
  type        = number
  default     = 100

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size must be a whole number from 1 to 10000."
  }
}

variable "batch_window_seconds" {
  description = "Longest that records are gathered for a batch, in seconds, from 0 to 300. A second saves the invocations of nearly empty batches."
  type        = number
  default     = 1

  validation {
    condition     = var.batch_window_seconds >= 0 && var.batch_window_seconds <= 300 && floor(var.batch_window_seconds) == var.batch_window_seconds
    error_message = "batch_window_seconds must be a whole number from 0 to 300."
  }
}

variable "parallelization_factor" {
  description = "Batches of one shard under way at once, from 1 to 10. Above 1, order holds within a partition key alone, and MERGEs wait for each other's lock."
  type        = number
  default     = 1

  validation {
    condition     = var.parallelization_factor >= 1 && var.parallelization_factor <= 10 && floor(var.parallelization_factor) == var.parallelization_factor
    error_message = "parallelization_factor must be a whole number from 1 to 10."
  }
}

variable "maximum_record_age_seconds" {
  description = "Age in seconds at which a batch that still fails is given up and stored by the on-failure destination. Null: an hour before the stream forgets it, and at most 604800 (7 days), which is all that Lambda takes."
  type        = number
  default     = null

  validation {
    condition = var.maximum_record_age_seconds == null ? true : (
      floor(var.maximum_record_age_seconds) == var.maximum_record_age_seconds && var.maximum_record_age_seconds >= 60 &&
      var.maximum_record_age_seconds <= min(604800, var.retention_hours * 3600 - 3600)
    )
    error_message = "maximum_record_age_seconds must be a whole number from 60 to an hour below retention_hours, and at most 604800: a batch that is given up later than its records live is stored by nobody."
  }
}

variable "maximum_retry_attempts" {
  description = "Retries of a failed batch before it is given up. -1: as many as its age allows, which is what an outage needs. Poison never fails a batch, so nothing is gained by fewer. Lambda also retries by this what an answer names as left: records that inflate to more than one invocation holds take several, and with few retries such a batch may be given up though nothing failed."
  type        = number
  default     = -1

  validation {
    condition     = var.maximum_retry_attempts >= -1 && var.maximum_retry_attempts <= 10000 && floor(var.maximum_retry_attempts) == var.maximum_retry_attempts
    error_message = "maximum_retry_attempts must be -1 (unlimited) or a whole number from 0 to 10000."
  }
}

variable "bisect_on_error" {
  description = "Whether a failed batch is halved and tried again. Off: poison never fails a batch, and halving one in an outage multiplies its objects."
  type        = bool
  default     = false
}

variable "starting_position" {
  description = "Where a new mapping begins to read: TRIM_HORIZON (the oldest record that is left, so that what came before phase 2 is taken too) or LATEST."
  type        = string
  default     = "TRIM_HORIZON"

  validation {
    condition     = contains(["TRIM_HORIZON", "LATEST"], var.starting_position)
    error_message = "starting_position must be TRIM_HORIZON or LATEST."
  }
}

# --- The functions ---

variable "architecture" {
  description = "What the zips were built for: arm64 (a fifth cheaper per GB-second) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "orchestrator_memory_mb" {
  description = "Memory of the orchestrator in MB; its share of a CPU grows with it. 128 holds the largest event that is not compressed; records that inflate to tens of megabytes a batch need as much more."
  type        = number
  default     = 256

  validation {
    condition     = var.orchestrator_memory_mb >= 128 && var.orchestrator_memory_mb <= 10240 && floor(var.orchestrator_memory_mb) == var.orchestrator_memory_mb
    error_message = "orchestrator_memory_mb must be a whole number from 128 to 10240."
  }
}

variable "upsert_memory_mb" {
  description = "Memory of upsert in MB. It waits for Snowflake most of its time, and waiting is billed by memory."
  type        = number
  default     = 256

  validation {
    condition     = var.upsert_memory_mb >= 128 && var.upsert_memory_mb <= 10240 && floor(var.upsert_memory_mb) == var.upsert_memory_mb
    error_message = "upsert_memory_mb must be a whole number from 128 to 10240."
  }
}

variable "transform_memory_mb" {
  description = "Memory of the transform function of the Firehose route, in MB: a record may inflate to 64 MiB (max_inflated_bytes), and is held whole."
  type        = number
  default     = 256

  validation {
    condition     = var.transform_memory_mb >= 256 && var.transform_memory_mb <= 10240 && floor(var.transform_memory_mb) == var.transform_memory_mb
    error_message = "transform_memory_mb must be a whole number from 256 to 10240."
  }
}

variable "upsert_timeout_seconds" {
  description = "Seconds until Lambda ends upsert. Time-outs nest, so that whoever gives up first knows most about why: statement 40 < log-in 8 + answer 45 + cancellation 5 = 58 < upsert 60 < the orchestrator's wait for it 65."
  type        = number
  default     = 60

  validation {
    condition     = var.upsert_timeout_seconds > 58 && var.upsert_timeout_seconds < 65 && floor(var.upsert_timeout_seconds) == var.upsert_timeout_seconds
    error_message = "upsert_timeout_seconds must be a whole number from 59 to 64: longer than log-in, answer and cancellation of a statement together (58 s), shorter than the orchestrator waits for it (65 s)."
  }
}

variable "orchestrator_timeout_seconds" {
  description = "Seconds until Lambda ends the orchestrator. It starts an invocation of upsert only while 67 s remain, so this decides how many requests a batch may need."
  type        = number
  default     = 180

  validation {
    condition = (
      var.orchestrator_timeout_seconds >= var.upsert_timeout_seconds + 15 && var.orchestrator_timeout_seconds >= 75 &&
      var.orchestrator_timeout_seconds <= 900 && floor(var.orchestrator_timeout_seconds) == var.orchestrator_timeout_seconds
    )
    error_message = "orchestrator_timeout_seconds must be a whole number, at least 75, at least 15 more than upsert_timeout_seconds, and at most 900: it starts an invocation of upsert only while 67 s remain, and gives up 2 s before its end."
  }
}

variable "transform_timeout_seconds" {
  description = "Seconds until Lambda ends the transform function; Firehose waits 300 for it. It may have to put twice, dead letters and rows that an answer has no room for, and gives a PUT up after 60."
  type        = number
  default     = 180

  validation {
    condition     = var.transform_timeout_seconds >= 125 && var.transform_timeout_seconds < 300 && floor(var.transform_timeout_seconds) == var.transform_timeout_seconds
    error_message = "transform_timeout_seconds must be a whole number from 125 to 299: a PUT is given up after 60 s and there may be two, one after the other; Firehose gives up after 300 s."
  }
}

variable "orchestrator_reserved_concurrency" {
  description = "Most orchestrators at once; Lambda keeps as many free for it. At least shards x parallelization_factor, or shards wait for each other. -1 reserves none: for an account whose quota is too small to spare any (new accounts begin with 10)."
  type        = number
  default     = 10

  validation {
    condition     = (var.orchestrator_reserved_concurrency == -1 || var.orchestrator_reserved_concurrency >= 1) && floor(var.orchestrator_reserved_concurrency) == var.orchestrator_reserved_concurrency
    error_message = "orchestrator_reserved_concurrency must be a whole number, -1 (none reserved) or at least 1; to pause, set mapping_enabled = false."
  }
}

variable "upsert_reserved_concurrency" {
  description = "Most upserts at once. MERGEs on one table wait for each other, and Snowflake refuses a statement when 20 wait already (000625): hence 19 at most. -1 reserves none; then only shards x parallelization_factor bounds them."
  type        = number
  default     = 10

  validation {
    condition = (
      (var.upsert_reserved_concurrency == -1 || (var.upsert_reserved_concurrency >= 1 && var.upsert_reserved_concurrency < 20)) &&
      floor(var.upsert_reserved_concurrency) == var.upsert_reserved_concurrency
    )
    error_message = "upsert_reserved_concurrency must be a whole number, -1 (none reserved) or from 1 to 19: Snowflake refuses a statement when 20 wait for the table's lock."
  }
}

variable "transform_reserved_concurrency" {
  description = "Most transforms at once. Firehose invokes one for each shard, and more when it catches up; what it is refused for too often, it gives up. -1 reserves none."
  type        = number
  default     = 10

  validation {
    condition     = (var.transform_reserved_concurrency == -1 || var.transform_reserved_concurrency >= 1) && floor(var.transform_reserved_concurrency) == var.transform_reserved_concurrency
    error_message = "transform_reserved_concurrency must be a whole number, -1 (none reserved) or at least 1."
  }
}

variable "upsert" {
  description = "Whether rows are merged into the streaming table. False: no upsert function, and the orchestrator runs with UPSERT=off; rows reach Snowflake by Snowpipe alone."
  type        = bool
  default     = true
}

variable "tracing" {
  description = "Whether X-Ray traces invocations (sampled by X-Ray's own rules)."
  type        = bool
  default     = true
}

variable "log_level" {
  description = "What the functions log: INFO is one line an invocation. Not above INFO: metrics are log lines, and Lambda would drop them."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "log_level must be DEBUG or INFO: above INFO, Lambda drops the metrics' lines too."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the functions' logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and so on."
  }
}

# --- The landing zone ---

variable "landing_bucket" {
  description = "Name of the landing bucket. Null: <name>-landing-<account>-<region>, which nobody else has."
  type        = string
  default     = null

  validation {
    condition     = var.landing_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.landing_bucket))
    error_message = "landing_bucket must be a bare bucket name, 3 to 63 lower-case letters, digits and hyphens (no dots: they break TLS to a bucket's host name)."
  }
}

variable "landing_expiration_days" {
  description = "Days until an object of the landing zone is deleted; 0 keeps all. Snowflake remembers which files it has loaded for 14 days (Snowpipe) and 64 (COPY), so nothing younger than 15 may go."
  type        = number
  default     = 0

  validation {
    condition     = (var.landing_expiration_days == 0 || var.landing_expiration_days >= 15) && floor(var.landing_expiration_days) == var.landing_expiration_days
    error_message = "landing_expiration_days must be a whole number, 0 (keep all) or at least 15."
  }
}

variable "failure_expiration_days" {
  description = "Days until dead letters, batches that were given up and Firehose's errors are deleted; 0 keeps all. What is deleted before somebody redrives it is lost."
  type        = number
  default     = 0

  validation {
    condition     = (var.failure_expiration_days == 0 || var.failure_expiration_days >= 30) && floor(var.failure_expiration_days) == var.failure_expiration_days
    error_message = "failure_expiration_days must be a whole number, 0 (keep all) or at least 30."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete a bucket that holds objects."
  type        = bool
  default     = false
}

# --- Snowflake ---

variable "snowflake_account" {
  description = "Snowflake's account identifier, organization-account, for example acme-prod: not the URL."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*$", var.snowflake_account)) && !strcontains(var.snowflake_account, ".snowflakecomputing.")
    error_message = "snowflake_account must be the bare account identifier, such as acme-prod, and no URL or host name."
  }
}

variable "snowflake_user" {
  description = "The user of TYPE = SERVICE that upsert logs in as."
  type        = string
  default     = "LANDFALL_LOADER"

  validation {
    condition     = can(regex("^[^'\"\\s]{1,255}$", var.snowflake_user))
    error_message = "snowflake_user must be the user's name, not empty, as SHOW USERS gives it, without quotation marks or spaces."
  }
}

variable "snowflake_role" {
  description = "The role that upsert uses; empty: the user's default."
  type        = string
  default     = "LANDFALL_LOADER"

  validation {
    condition     = can(regex("^[^'\"\\s]{0,255}$", var.snowflake_role))
    error_message = "snowflake_role must be empty or the role's name, as SHOW ROLES gives it, without quotation marks or spaces."
  }
}

variable "snowflake_warehouse" {
  description = "The warehouse that upsert uses; empty: the user's default."
  type        = string
  default     = "LANDFALL_WH"

  validation {
    condition     = can(regex("^[^'\"\\s]{0,255}$", var.snowflake_warehouse))
    error_message = "snowflake_warehouse must be empty or the warehouse's name, as SHOW WAREHOUSES gives it, without quotation marks or spaces."
  }
}

variable "snowflake_url" {
  description = "The account's URL, if not its usual one (PrivateLink), for example https://acme-prod.privatelink.snowflakecomputing.com; empty otherwise."
  type        = string
  default     = ""

  validation {
    condition     = var.snowflake_url == "" || (startswith(var.snowflake_url, "https://") && !startswith(var.snowflake_url, "https://app.snowflake.com"))
    error_message = "snowflake_url must be empty or an https:// URL of the account, and not that of the console in a browser."
  }
}

variable "snowflake_external_id" {
  description = "External id that Snowflake shows when it takes on the storage role. No secret: it keeps another customer of Snowflake from naming our role. Null: derived from account, region and name."
  type        = string
  default     = null

  validation {
    condition     = var.snowflake_external_id == null ? true : can(regex("^[A-Za-z0-9=,.@:/-]{2,1224}$", var.snowflake_external_id))
    error_message = "snowflake_external_id must be 2 to 1224 letters, digits and =,.@:/-"
  }
}

variable "snowflake_iam_user_arn" {
  description = "ARN of the IAM user that Snowflake reads the bucket as (STORAGE_AWS_IAM_USER_ARN). Empty in phase 1; `landfall snowflake apply` writes it into snowflake.auto.tfvars.json."
  type        = string
  default     = ""

  validation {
    condition     = var.snowflake_iam_user_arn == "" || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/.+$", var.snowflake_iam_user_arn))
    error_message = "snowflake_iam_user_arn must be empty or the ARN of an IAM user, as DESC INTEGRATION gives it; let landfall snowflake apply write it."
  }
}

variable "snowflake_notification_channel" {
  description = "ARN of the SQS queue on which Snowpipe hears of new objects (notification_channel of SHOW PIPES). Empty in phase 1; `landfall snowflake apply` writes it into snowflake.auto.tfvars.json."
  type        = string
  default     = ""

  validation {
    condition     = var.snowflake_notification_channel == "" || can(regex("^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:.+$", var.snowflake_notification_channel))
    error_message = "snowflake_notification_channel must be empty or the ARN of an SQS queue, as SHOW PIPES gives it; let landfall snowflake apply write it."
  }

  validation {
    condition     = var.snowflake_notification_channel == "" || var.snowflake_iam_user_arn != ""
    error_message = "snowflake_notification_channel is set and snowflake_iam_user_arn is not: Snowpipe would hear of objects that it cannot read."
  }
}

# --- Alarms ---

variable "alarm_emails" {
  description = "Addresses that alarms are sent to; each has to confirm once. More ways (chat, pager) subscribe to the topic that the output alarm_topic_arn names."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))])
    error_message = "alarm_emails holds something that is no e-mail address."
  }
}

variable "iterator_age_alarm_seconds" {
  description = "Age in seconds of the oldest record not yet taken, above which an alarm is raised. Below maximum_record_age_seconds, at which batches are given up."
  type        = number
  default     = 900

  validation {
    condition = (
      floor(var.iterator_age_alarm_seconds) == var.iterator_age_alarm_seconds && var.iterator_age_alarm_seconds >= 60 &&
      var.iterator_age_alarm_seconds <= coalesce(var.maximum_record_age_seconds, min(604800, var.retention_hours * 3600 - 3600)) / 2
    )
    error_message = "iterator_age_alarm_seconds must be a whole number, at least 60, and at most half of the age at which batches are given up: whoever is woken needs the other half."
  }
}

variable "snowpipe_lag_alarm_seconds" {
  description = "Seconds that Snowpipe may be behind, as `landfall reconcile` measures it, before an alarm is raised."
  type        = number
  default     = 900

  validation {
    condition     = var.snowpipe_lag_alarm_seconds >= 60 && floor(var.snowpipe_lag_alarm_seconds) == var.snowpipe_lag_alarm_seconds
    error_message = "snowpipe_lag_alarm_seconds must be a whole number, at least 60."
  }
}

# --- Optional: the Firehose route ---

variable "firehose" {
  description = "Whether Firehose lands the stream, by the transform function, in few large objects. The orchestrator then runs with LANDING=off."
  type        = bool
  default     = false
}

variable "orchestrator_lands" {
  description = "Whether the orchestrator writes CSV objects. Null: where Firehose does not. True beside firehose = true is for the change from one to the other: Firehose begins with what comes after it was made, and nothing before that may be left out."
  type        = bool
  default     = null

  validation {
    condition     = coalesce(var.orchestrator_lands, !var.firehose) || var.upsert
    error_message = "upsert = false leaves the orchestrator nothing to do where it does not land either (firehose = true, or orchestrator_lands = false)."
  }
}

variable "firehose_buffer_mb" {
  description = "MB that Firehose gathers for one object of a partition. 64 to 128: dynamic partitioning takes no less."
  type        = number
  default     = 64

  validation {
    condition     = var.firehose_buffer_mb >= 64 && var.firehose_buffer_mb <= 128 && floor(var.firehose_buffer_mb) == var.firehose_buffer_mb
    error_message = "firehose_buffer_mb must be a whole number from 64 to 128, as dynamic partitioning wants it."
  }
}

variable "firehose_buffer_seconds" {
  description = "Seconds after which Firehose writes what it has gathered. 60 to 900: what comes first, this or firehose_buffer_mb. Firehose may take 1.5 times as long."
  type        = number
  default     = 300

  validation {
    condition     = var.firehose_buffer_seconds >= 60 && var.firehose_buffer_seconds <= 900 && floor(var.firehose_buffer_seconds) == var.firehose_buffer_seconds
    error_message = "firehose_buffer_seconds must be a whole number from 60 to 900."
  }
}

variable "firehose_error_prefix" {
  description = "Prefix under which Firehose puts what it gives up. Apart from the others: of rows, where Snowpipe would load it, of dead letters and of batches that were given up."
  type        = string
  default     = "firehose-errors"

  validation {
    condition = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.firehose_error_prefix)) && alltrue([
      for prefix in [local.landing_prefix, local.dead_letter_prefix, local.on_failure_prefix] :
      !startswith("${var.firehose_error_prefix}/", "${prefix}/") && !startswith("${prefix}/", "${var.firehose_error_prefix}/")
    ])
    error_message = "firehose_error_prefix must be letters, digits, _ - and /, not beginning or ending in /, and neither lie under nor hold the prefix of rows, where Snowpipe would load it, of dead letters, or aws/lambda, of batches that were given up."
  }
}

# --- Optional: network and keys ---

variable "vpc" {
  description = "Whether the functions run in a VPC of their own, with private subnets and one NAT gateway. Nothing here needs one; it gives the functions one fixed address (the output nat_ip), which a network policy of Snowflake's can name."
  type        = bool
  default     = false
}

variable "vpc_cidr" {
  description = "Addresses of that VPC, from /16 to /24."
  type        = string
  default     = "10.71.0.0/20"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("/(1[6-9]|2[0-4])$", var.vpc_cidr))
    error_message = "vpc_cidr must be an IPv4 range from /16 to /24, such as 10.71.0.0/20."
  }
}

variable "customer_key" {
  description = "Whether stream, bucket, secret, logs, topic and environment are encrypted with a KMS key of one's own, which is made here, instead of AWS's. One way only: a plan that would delete the key is refused, because all that it has encrypted would be unreadable at once."
  type        = bool
  default     = false
}

variable "secret_recovery_days" {
  description = "Days in which a deleted secret can be restored; 7 to 30, or 0 to delete it at once (for a deployment that is tried out)."
  type        = number
  default     = 7

  validation {
    condition = (
      (var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)) &&
      floor(var.secret_recovery_days) == var.secret_recovery_days
    )
    error_message = "secret_recovery_days must be 0 or a whole number from 7 to 30."
  }
}
