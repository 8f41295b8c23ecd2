-- What an administrator makes: roles, warehouse, the service user, the database and the way to the bucket.
--
-- Placeholders, each an option of landfall snowflake ddl and an output of Terraform's:
--   <landing-bucket>    the bucket that the orchestrator lands in
--   <storage-role-arn>  the role that Snowflake reads it with
--   <external-id>       the external id in that role's trust policy
--   <public-key>        the service user's public key: landfall snowflake keygen
--
-- An integration that exists stays as it is: one that is replaced gets another identity, which the role in
-- AWS does not trust.
--
-- May be run again at any time. Generated from pipeline.toml (sensors): landfall snowflake ddl prints it,
-- landfall snowflake apply runs what of it is missing.

USE ROLE "ACCOUNTADMIN";

CREATE ROLE IF NOT EXISTS "LANDFALL_OWNER"
COMMENT = 'Owns the tables, views, stage and pipe of Landfall.';

CREATE ROLE IF NOT EXISTS "LANDFALL_LOADER"
COMMENT = 'Reads and adds rows of Landfall, and changes nothing else.';

GRANT ROLE "LANDFALL_OWNER" TO ROLE "SYSADMIN";

GRANT ROLE "LANDFALL_LOADER" TO ROLE "SYSADMIN";

CREATE WAREHOUSE IF NOT EXISTS "LANDFALL_WH"
WAREHOUSE_SIZE = XSMALL
AUTO_SUSPEND = 60
AUTO_RESUME = TRUE
INITIALLY_SUSPENDED = TRUE
STATEMENT_TIMEOUT_IN_SECONDS = 300;

CREATE USER IF NOT EXISTS "LANDFALL_LOADER"
TYPE = SERVICE
DEFAULT_ROLE = 'LANDFALL_LOADER'
DEFAULT_WAREHOUSE = 'LANDFALL_WH'
RSA_PUBLIC_KEY = '<public-key>';

GRANT ROLE "LANDFALL_LOADER" TO USER "LANDFALL_LOADER";

CREATE DATABASE IF NOT EXISTS "LANDFALL";

CREATE STORAGE INTEGRATION IF NOT EXISTS "LANDFALL_INTEGRATION"
TYPE = EXTERNAL_STAGE
STORAGE_PROVIDER = 'S3'
ENABLED = TRUE
STORAGE_AWS_ROLE_ARN = '<storage-role-arn>'
STORAGE_AWS_EXTERNAL_ID = '<external-id>'
STORAGE_ALLOWED_LOCATIONS = ('s3://<landing-bucket>/kinesiscsv/');

GRANT USAGE ON WAREHOUSE "LANDFALL_WH" TO ROLE "LANDFALL_OWNER";

GRANT USAGE ON WAREHOUSE "LANDFALL_WH" TO ROLE "LANDFALL_LOADER";

GRANT USAGE ON DATABASE "LANDFALL" TO ROLE "LANDFALL_OWNER";

GRANT CREATE SCHEMA ON DATABASE "LANDFALL" TO ROLE "LANDFALL_OWNER";

GRANT USAGE ON DATABASE "LANDFALL" TO ROLE "LANDFALL_LOADER";

GRANT USAGE ON INTEGRATION "LANDFALL_INTEGRATION" TO ROLE "LANDFALL_OWNER";
