-- From the landing zone into the table: file format, stage and pipe.
--
-- Replace two placeholders first:
--   <landing-bucket>       the bucket that the orchestrator lands in
--   <storage-integration>  a storage integration that may read it, upper-case as SHOW INTEGRATIONS gives it
--
-- A pipe that exists stays as it is: one that is replaced forgets what it has loaded, and loads it twice.
--
-- May be run again at any time. Generated from pipeline.toml (sensors): change that, and then
-- LANDFALL_BLESS=1 cargo test -p landfall-snowflake

CREATE FILE FORMAT IF NOT EXISTS "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_FORMAT"
TYPE = CSV
NULL_IF = ()
EMPTY_FIELD_AS_NULL = TRUE
ESCAPE = NONE
ESCAPE_UNENCLOSED_FIELD = NONE
FIELD_OPTIONALLY_ENCLOSED_BY = '"'
TRIM_SPACE = FALSE
ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE;

CREATE STAGE IF NOT EXISTS "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_STAGE"
URL = 's3://<landing-bucket>/kinesiscsv/'
STORAGE_INTEGRATION = "<storage-integration>";

CREATE PIPE IF NOT EXISTS "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE"
AUTO_INGEST = TRUE
AS
COPY INTO "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH"
FROM @"LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_STAGE"
FILE_FORMAT = (FORMAT_NAME = '"LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_FORMAT"')
ON_ERROR = CONTINUE;
