//! Pipelines for the tests.

use landfall_core::Pipeline;

pub(crate) fn default_pipeline() -> Pipeline {
    Pipeline::from_toml(include_str!("../../../pipeline.toml")).unwrap()
}

/// Every type, nested names, and unknown fields kept.
pub(crate) fn rich_pipeline() -> Pipeline {
    let types = ["integer", "decimal(10,2)", "float", "boolean", "string", "timestamp", "date", "variant"];
    let mut toml = "name = \"rich\"\nunknown_fields = \"keep\"\ndocuments = \"array\"\n".to_owned();
    for (i, data_type) in types.iter().enumerate() {
        let required = i == 0;
        toml.push_str(&format!(
            "[[fields]]\nname = \"/a/f{i}\"\ncolumn = \"F{i}\"\ntype = \"{data_type}\"\nrequired = {required}\n"
        ));
    }
    toml.push_str(
        r#"
[landing]
prefix = "rich/csv"
partition_by = "/a/f0"
partition_label = "f0"
layout = "per-batch"
compression = "zstd"
dead_letter_prefix = "dead"

[snowflake]
database = "DB"
schema = "S"
streaming_table = "RICH_STREAMING"
microbatch_table = "RICH_MICROBATCH"
"#,
    );
    Pipeline::from_toml(&toml).unwrap()
}

/// A public key whose private half nobody has.
pub(crate) const PUBLIC_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxmoE3FlcY63OuBs+wd2cpWz0exhO8Cj09orxSPVP8hBWeiqTStkiVqyFLSujtI+MzNOG\
    InOk3e1TyWpQYlZ1TXLsKp4D42zbMgnUXj0eTpDRNQ44ocvwQUBwkDxE4EvGV6NsH0vJPT2ies45MjkJyhLFOiz9x4/4Fcq6oBTzN8ZQzL0O4YwX\
    LaG9G4htg1o8z1fbwBGQge3VgeYiMeHNXn4VP9wAp56VgaBAypeR8cWhEBf+pMISw3ravq2qwbd4Or4mWxi8y3epEdaWRUVkHm3OmE9OwTK8T9jn\
    5W/7q8wWweIN01FWO6zDJ6cPWNOUBS/JDkGoPhmvYVzMAqxY+QIDAQAB";
