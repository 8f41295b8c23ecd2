//! What a person reads when a template is at fault.

use landfall_generator::Template;

#[test]
fn a_fault_has_its_place_and_its_remedy() {
    let faults = [
        " \n ",
        "{\n  \"é\": {{random.nubmer(50)}}\n}",
        "{{name.firstName}}",
        "{{ }}",
        "{{random.number(50)",
        "{{random.number(50",
        "{{random.number(50) }",
        "{{random.number(\"é",
        "{{random.number({\"min\":10,\n  \"max\"150})}}",
        "{{random.number(1, 2)}}",
        "{{random.number(\"50\")}}",
        "{{random.number({\"mim\":10})}}",
        "{{random.number({\"max\":\"10\"})}}",
        "{{random.number({\"min\":100000})}}",
        "{{random.number({\"min\":0.5,\"max\":0.7})}}",
        "{{random.number({\"precision\":0})}}",
        "{{random.number(1e40)}}",
        "{{random.number({\"max\":1e36,\"precision\":0.01})}}",
        "{{random.arrayElement([])}}",
        "{{random.arrayElement(OK)}}",
        "{{random.arrayElement([\"\\ud800\"])}}",
        "{{random.arrayElement({\"a\":1})}}",
        "{{random.weightedArrayElement([1])}}",
        "{{random.weightedArrayElement({\"weights\":[1]})}}",
        "{{random.weightedArrayElement({\"weight\":[1],\"data\":[1]})}}",
        "{{random.weightedArrayElement({\"weights\":[1],\"data\":[1,2]})}}",
        "{{random.weightedArrayElement({\"weights\":[-1,2],\"data\":[1,2]})}}",
        "{{random.weightedArrayElement({\"weights\":[0],\"data\":[1]})}}",
        "{{random.weightedArrayElement({\"weights\":[\"1\"],\"data\":[1]})}}",
    ];

    let messages: Vec<_> = faults.iter().map(|text| Template::parse(text).unwrap_err().to_string()).collect();

    insta::assert_snapshot!(messages.join("\n"), @r#"
    failed to parse the template: it is empty; write a record, such as {"sensorId": {{random.number(50)}}}
    failed to parse the template at line 2, column 10: there is no helper `random.nubmer`; write `random.number`; known are: random.number, random.arrayElement, random.weightedArrayElement
    failed to parse the template at line 1, column 3: there is no helper `name.firstName`; known are: random.number, random.arrayElement, random.weightedArrayElement
    failed to parse the template at line 1, column 1: no helper is named after {{; write {{random.number(50)}}; a record cannot hold {{ itself but as an array's element
    failed to parse the template at line 1, column 1: the call is not closed; write }} after the name or its parentheses
    failed to parse the template at line 1, column 1: the parenthesis is not closed, and at line 1, column 19 its argument is not JSON: more follows its value; write )}} after the argument
    failed to parse the template at line 1, column 1: the call is not closed; write }} after the name or its parentheses
    failed to parse the template at line 1, column 1: the parenthesis is not closed, and at line 1, column 18 its argument is not JSON: EOF while parsing a string; write )}} after the argument
    failed to parse the template at line 2, column 8: in `random.number`, the argument is not JSON: expected `:`; write one JSON value between the parentheses
    failed to parse the template at line 1, column 18: in `random.number`, the argument is not JSON: more follows its value; write one JSON value between the parentheses
    failed to parse the template at line 1, column 17: in `random.number`, the argument is neither a number nor an object; write random.number(50) or random.number({"min":10,"max":150,"precision":1})
    failed to parse the template at line 1, column 17: in `random.number`, there is no option "mim"; write random.number(50) or random.number({"min":10,"max":150,"precision":1})
    failed to parse the template at line 1, column 17: in `random.number`, "max" is "10"; write a number
    failed to parse the template at line 1, column 17: in `random.number`, no multiple of 1 lies between 100000 and 99999; write a "max" above "min"; left out, they are 99999 and 0
    failed to parse the template at line 1, column 17: in `random.number`, no multiple of 1 lies between 0.5 and 0.7; write a "max" above "min"; left out, they are 99999 and 0
    failed to parse the template at line 1, column 17: in `random.number`, "precision" is not above 0; write 1 for whole numbers, 0.01 for two digits
    failed to parse the template at line 1, column 17: in `random.number`, the argument is 1e40; write a number of at most 37 digits
    failed to parse the template at line 1, column 17: in `random.number`, the numbers have more than 37 digits between them; write fewer digits
    failed to parse the template at line 1, column 23: in `random.arrayElement`, there are no elements to choose from; write random.arrayElement(["OK","FAIL","WARN"])
    failed to parse the template at line 1, column 23: in `random.arrayElement`, the argument is not JSON: expected value; write one JSON value between the parentheses
    failed to parse the template at line 1, column 23: in `random.arrayElement`, "\ud800" is not text: half of a surrogate pair; write both halves, or the character itself
    failed to parse the template at line 1, column 23: in `random.arrayElement`, the argument is not an array; write random.arrayElement(["OK","FAIL","WARN"])
    failed to parse the template at line 1, column 31: in `random.weightedArrayElement`, the argument is not an object; write random.weightedArrayElement({"weights":[0.8,0.1,0.1],"data":["OK","FAIL","WARN"]})
    failed to parse the template at line 1, column 31: in `random.weightedArrayElement`, there is no array "data"; write random.weightedArrayElement({"weights":[0.8,0.1,0.1],"data":["OK","FAIL","WARN"]})
    failed to parse the template at line 1, column 31: in `random.weightedArrayElement`, there is no option "weight"; write random.weightedArrayElement({"weights":[0.8,0.1,0.1],"data":["OK","FAIL","WARN"]})
    failed to parse the template at line 1, column 31: in `random.weightedArrayElement`, "weights" has 1 elements and "data" 2; write one weight for each
    failed to parse the template at line 1, column 31: in `random.weightedArrayElement`, a weight is negative; write 0 for what is never drawn
    failed to parse the template at line 1, column 31: in `random.weightedArrayElement`, the weights sum to 0; write a weight above 0 for one of them
    failed to parse the template at line 1, column 31: in `random.weightedArrayElement`, a weight is "1"; write a number
    "#);
}
