use super::*;
use serde_json::json;

fn check(query: &str, data: Value, expected: Value) {
    assert_eq!(run(query, data).map_err(|e| e.message), Ok(expected), "{query}");
}

fn fault(query: &str, data: Value) -> String {
    run(query, data).expect_err(query).message
}

#[test]
fn types_are_kept_in_and_out() {
    let data = json!([
        {"i": 9_007_199_254_740_993_i64, "r": 1.5, "t": "007", "n": null, "b": true, "j": {"x": [1]}},
        {"i": -1, "r": 2.0, "t": "", "b": false, "j": []},
    ]);
    check(
        "SELECT * FROM data",
        data.clone(),
        json!([
            {"i": 9_007_199_254_740_993_i64, "r": 1.5, "t": "007", "n": null, "b": 1, "j": "{\"x\":[1]}"},
            {"i": -1, "r": 2.0, "t": "", "n": null, "b": 0, "j": "[]"},
        ]),
    );
    check("SELECT j ->> '$.x[0]' AS x FROM data WHERE b = true", data, json!([{"x": 1}]));
    check(
        "SELECT value, 9e999 AS most FROM data",
        json!([3, "x"]),
        json!([{"value": 3, "most": null}, {"value": "x", "most": null}]),
    );
    check("SELECT typeof(value) AS t FROM data", json!([18_446_744_073_709_551_615_u64]), json!([{"t": "real"}]));
}

#[test]
fn tables_are_joined_grouped_and_counted() {
    let data = json!({
        "people": [{"name": "Ada", "town": 1}, {"name": "Alan", "town": 2}, {"name": "Bob", "town": 1}],
        "towns": "id,town\n1,London\n2,Wilmslow\n",
    });
    check(
        "SELECT t.town, count(*) AS people FROM people p JOIN towns t ON t.id = CAST(p.town AS TEXT) \
         GROUP BY t.town ORDER BY people DESC",
        data,
        json!([{"town": "London", "people": 2}, {"town": "Wilmslow", "people": 1}]),
    );
    check("SELECT count(*) AS n FROM data", json!([]), json!([{"n": 0}]));
    check(
        "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 3) SELECT n FROM up;",
        json!([1]),
        json!([{"n": 1}, {"n": 2}, {"n": 3}]),
    );
    check("SELECT \"a \"\"b\" FROM \"x-y\"", json!({"x-y": [{"a \"b": 1}]}), json!([{"a \"b": 1}]));
}

#[test]
fn a_query_can_do_nothing_but_read() {
    for query in [
        "DELETE FROM data",
        "INSERT INTO data VALUES (1)",
        "DROP TABLE data",
        "CREATE TABLE x (y)",
        "ATTACH '/tmp/x' AS x",
        "PRAGMA table_info(data)",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('x')",
        "BEGIN",
        "WITH x AS (SELECT 1) DELETE FROM data",
    ] {
        let said = fault(query, json!([{"a": 1}]));
        assert!(said.ends_with("a query may only read: one SELECT, with or without WITH"), "{query}: {said}");
    }
    for query in ["EXPLAIN SELECT 1", "VACUUM INTO '/tmp/x'", "", "-- nothing"] {
        assert_eq!(fault(query, json!([1])), "`query` must be one SELECT, with or without WITH", "{query}");
    }
    for file in ["SELECT readfile('/etc/passwd')", "SELECT writefile('/tmp/x', 'y')"] {
        assert!(fault(file, json!([1])).contains("no such function"));
    }
}

#[test]
fn faults_carry_what_sqlite_says_and_what_would_be_right() {
    let data = json!([{"name": "Ada", "age": 36}]);
    for (query, expected) in [
        ("SELEC 1", "SQLite does not take the query: near \"SELEC\": syntax error"),
        (
            "SELECT nobody FROM data",
            "SQLite does not take the query: no such column: nobody; there are \"data\" (\"name\", \"age\")",
        ),
        (
            "SELECT * FROM people",
            "SQLite does not take the query: no such table: people; there are \"data\" (\"name\", \"age\")",
        ),
        ("SELECT 1; SELECT 2", "`query` must be one statement, a SELECT"),
        ("SELECT a.name, b.name FROM data a, data b", "two columns of the result are called `name`: name them with AS"),
        (
            "SELECT * FROM data WHERE age > ?",
            "`query` has parameters (?, :name), and nothing fills them: write the values into it",
        ),
        ("SELECT x'00' AS x", "the column `x` holds raw bytes; JSON has text only: use hex() or CAST"),
        ("SELECT abs(-9223372036854775808)", "SQLite does not take the query: integer overflow"),
    ] {
        assert_eq!(fault(query, data.clone()), expected, "{query}");
    }
}

#[test]
fn data_that_is_no_table_is_refused() {
    for (data, expected) in [
        (json!("x"), "`sql` needs a list of objects, or an object of such lists, not string"),
        (json!({}), "`data` has 0 tables; from 1 to 1000 can be queried"),
        (json!({"name": 1}), "table \"name\" must be a list of objects, not integer"),
        (json!({"t": "a,a\n"}), "table \"t\": CSV line 1: two columns are called \"a\""),
        (json!({"": []}), "\"\" can't be the name of a table"),
        (json!({"t": [], "T": []}), "two tables are called \"T\" but for capital letters: rename one"),
        (json!([{"a": 1, "A": 2}]), "two columns of \"data\" are called \"A\" but for capital letters: rename one"),
        (json!([{"a": 1}, 2]), "table \"data\": item 1 is integer, not an object as the first one"),
        (json!([2, {}]), "table \"data\": item 1 is object, not a plain value as the first one"),
        (json!([{"a\0": 1}]), "table \"data\": \"a\\0\" can't be the name of a column"),
    ] {
        assert_eq!(fault("SELECT 1", data), expected);
    }
}

#[test]
fn a_query_that_never_ends_is_stopped() {
    let endless = "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up) SELECT count(*) FROM up";
    let stopped = with_fuel(endless, json!([1]), 1_000_000).expect_err("it never ends").message;
    assert_eq!(stopped, "the query was stopped, it runs for too long: join on fewer rows, or use LIMIT");
}

#[test]
fn texts_rows_and_patterns_have_limits() {
    assert!(fault("SELECT hex(zeroblob(100000000))", json!([1])).contains("too big"));
    let pattern = format!("SELECT 'a' LIKE '{}'", "%a".repeat(200));
    assert!(fault(&pattern, json!([1])).contains("LIKE or GLOB pattern too complex"));
    let rows = "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up) SELECT n FROM up";
    assert_eq!(fault(rows, json!([1])), "the result has more than 1000000 rows: use LIMIT");
}
