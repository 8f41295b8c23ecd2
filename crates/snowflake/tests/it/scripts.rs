//! infra/snowflake holds what the pipeline says.

use std::path::Path;

use landfall_core::Pipeline;
use landfall_snowflake::ddl::scripts;

#[test]
fn the_checked_in_sql_is_that_of_pipeline_toml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = root.join("infra/snowflake");
    let pipeline = Pipeline::from_toml(&std::fs::read_to_string(root.join("pipeline.toml")).unwrap()).unwrap();
    let scripts = scripts(&pipeline);

    if std::env::var_os("LANDFALL_BLESS").is_some_and(|value| value == "1") {
        for script in &scripts {
            std::fs::write(dir.join(script.file_name), &script.sql).unwrap();
        }
    }

    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sql"))
        .collect();
    names.sort();
    assert_eq!(names, scripts.iter().map(|script| script.file_name).collect::<Vec<_>>());
    for script in &scripts {
        let checked_in = std::fs::read_to_string(dir.join(script.file_name)).unwrap();
        assert_eq!(checked_in, script.sql, "{}: LANDFALL_BLESS=1 writes it anew", script.file_name);
    }
}
