"""Holds the stand-in's replies against AWS's own service models, as botocore carries them.

usage: botocore_conformance.py ENDPOINT REGION
Every operation is called through botocore, so its parser has to understand each reply and each error. The raw body is then
checked against the model: no unknown members, no missing ones, types, enumerations, lengths and patterns. A line is printed
for each case; the last line counts them. Exits 1 when anything is off.
"""

import json
import re
import sys
import time

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, REGION = sys.argv[1:3]
# How many times faster than on AWS timeouts pass at that address.
FASTER = float(sys.argv[3])
DOCUMENT = f"{REGION}-pull-image-document"
REPOSITORY = f"sento-{REGION}-processor-ecr"
TAGS = [{"Key": "tag:Environment", "Values": ["QA"]}, {"Key": "tag:OS", "Values": ["Ubuntu"]}]
PARAMETERS = {"image": ["AI"], "region": [REGION]}
STRANGER = "i-0ffffffffffffffff"
NOBODY = "00000000-0000-4000-8000-000000000000"

# What the real service leaves empty although its model does not allow it (samples published with the AWS CLI).
EMPTY_AS_OBSERVED = {
    "NotificationType",
    "OutputS3BucketName",
    "CloudWatchLogGroupName",
}
# Errors of every operation; the models do not list them.
COMMON_ERRORS = {
    "ValidationException",
    "SerializationException",
    "UnknownOperationException",
    "ThrottlingException",
    "AccessDeniedException",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "MissingAuthenticationTokenException",
    "IncompleteSignatureException",
}

session = botocore.session.get_session()
problems, cases, last = [], 0, {}


def client(service, **settings):
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    made = session.create_client(service, region_name=REGION, endpoint_url=ENDPOINT, config=config, **settings)
    return made


def keep(response_dict, **_):
    last.clear()
    last.update(response_dict)


ssm, ecr, sts = client("ssm"), client("ecr"), client("sts")
for each in (ssm, ecr, sts):
    each.meta.events.register("before-parse", keep)


def off(where, what):
    problems.append(f"{where}: {what}")


def check(shape, value, where):
    """The raw JSON value against the model's shape."""
    kind, limits = shape.type_name, shape.metadata
    if value is None:
        return off(where, "is null")
    if kind == "structure":
        if not isinstance(value, dict):
            return off(where, f"is no structure: {value!r}")
        for name in value.keys() - shape.members.keys():
            off(where, f"has the unknown member {name}")
        for name in set(shape.required_members) - value.keys():
            off(where, f"lacks the required member {name}")
        for name, member in shape.members.items():
            if name in value:
                check(member, value[name], f"{where}.{name}")
    elif kind == "list":
        if not isinstance(value, list):
            return off(where, f"is no list: {value!r}")
        in_range(limits, len(value), where)
        for at, item in enumerate(value):
            check(shape.member, item, f"{where}[{at}]")
    elif kind == "map":
        if not isinstance(value, dict):
            return off(where, f"is no map: {value!r}")
        for key, item in value.items():
            check(shape.key, key, f"{where} key")
            check(shape.value, item, f"{where}.{key}")
    elif kind == "string":
        if not isinstance(value, str):
            return off(where, f"is no string: {value!r}")
        if value == "" and where.rsplit(".", 1)[-1] in EMPTY_AS_OBSERVED:
            return None
        if shape.enum and value not in shape.enum:
            off(where, f"{value!r} is not one of {shape.enum}")
        in_range(limits, len(value), where)
        if limits.get("pattern") and not matches(shape, value):
            off(where, f"{value!r} does not match {limits['pattern']}")
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            return off(where, f"is no integer: {value!r}")
        in_range(limits, value, where)
    elif kind == "timestamp":
        # Epoch seconds; milliseconds would be far in the future.
        if not isinstance(value, (int, float)) or not 1e9 < value < 1e10:
            off(where, f"is no moment in seconds: {value!r}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            off(where, f"is no boolean: {value!r}")
    elif kind in ("float", "double"):
        if not isinstance(value, (int, float)):
            off(where, f"is no number: {value!r}")
    else:
        off(where, f"has a type that this check does not know: {kind}")
    return None


def in_range(limits, number, where):
    if "min" in limits and number < limits["min"]:
        off(where, f"{number} is below {limits['min']}")
    if "max" in limits and number > limits["max"]:
        off(where, f"{number} is above {limits['max']}")


def matches(shape, value):
    if shape.name == "StringDateTime":
        # The model's pattern refuses what the service sends: fractions, durations, and nothing before the start.
        return re.fullmatch(r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|PT\d+(\.\d+)?S", value) is not None
    pattern = shape.metadata["pattern"]
    # Java's classes, which the models use inside brackets.
    for java, python in ((r"\p{L}", "a-zA-Z"), (r"\p{N}", "0-9"), (r"\p{Z}", " "), (r"\p{Alnum}", "a-zA-Z0-9")):
        pattern = pattern.replace(java, python)
    return re.search(pattern, value) is not None


def call(service, operation, **members):
    """A call that has to succeed; returns what botocore understood."""
    global cases
    cases += 1
    api = operation_name(service, operation)
    model = service.meta.service_model.operation_model(api)
    try:
        parsed = getattr(service, operation)(**members)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        off(api, f"failed: {error!r}")
        return {}
    told(api)
    if service is not sts:
        check(model.output_shape, json.loads(last["body"]), api)
    print("ok", api)
    return parsed


def fails(service, operation, code, **members):
    """A call that has to be refused with this code."""
    global cases
    cases += 1
    api = operation_name(service, operation)
    model = service.meta.service_model.operation_model(api)
    try:
        getattr(service, operation)(**members)
        off(api, f"took what should be refused with {code}")
        return
    except ClientError as error:
        found, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    told(api)
    if found != code:
        off(api, f"was refused with {found}, not {code}")
    if status not in (400, 500):
        off(api, f"{code} came with status {status}")
    if service is sts:
        print("refused", api, code)
        return
    shapes = {shape.error_code: shape for shape in model.error_shapes}
    if found in shapes:
        body = {name: value for name, value in json.loads(last["body"]).items() if name != "__type"}
        check(shapes[found], body, f"{api} {found}")
    elif found not in COMMON_ERRORS:
        off(api, f"{found} is not an error of this operation")
    header = last["headers"].get("x-amzn-errortype")
    if header != found:
        off(api, f"x-amzn-errortype is {header!r}, not {found!r}")
    print("refused", api, code)


def told(api):
    if not last["headers"].get("x-amzn-requestid"):
        off(api, "has no request id")


def operation_name(service, method):
    return service.meta.method_to_api_mapping[method]


def send(**changes):
    members = dict(
        DocumentName=DOCUMENT,
        DocumentVersion="$LATEST",
        Targets=TAGS,
        Parameters=PARAMETERS,
        TimeoutSeconds=600,
        MaxConcurrency="50",
        MaxErrors="100%",
        Comment="conformance",
    )
    members.update(changes)
    return {name: value for name, value in members.items() if value is not None}


def identity():
    caller = call(sts, "get_caller_identity")
    if not re.fullmatch(r"\d{12}", caller.get("Account", "")):
        off("GetCallerIdentity", f"account {caller.get('Account')!r}")
    fails(sts, "get_session_token", "InvalidAction")
    strange = client("sts", aws_access_key_id="AKIAREALREALREALREAL", aws_secret_access_key="x")
    strange.meta.events.register("before-parse", keep)
    try:
        strange.get_caller_identity()
        off("GetCallerIdentity", "took a key that is not the rehearsal's")
    except ClientError as error:
        if error.response["Error"]["Code"] != "UnrecognizedClientException":
            off("GetCallerIdentity", f"a strange key got {error.response['Error']['Code']}")


def inventory():
    everything = call(ssm, "describe_instance_information", MaxResults=5)
    hosts = call(ssm, "describe_instance_information", Filters=TAGS, MaxResults=50)["InstanceInformationList"]
    call(ssm, "describe_instance_information", MaxResults=5, NextToken=everything["NextToken"])
    call(ssm, "describe_instance_information", Filters=[{"Key": "PingStatus", "Values": ["ConnectionLost"]}])
    call(ssm, "describe_instance_information", InstanceInformationFilterList=[{"key": "InstanceIds", "valueSet": [STRANGER]}])
    refuse = lambda code, **members: fails(ssm, "describe_instance_information", code, **members)
    refuse("ValidationException", MaxResults=4)
    refuse("ValidationException", Filters=[*TAGS, {"Key": "PingStatus", "Values": ["Online"]}])
    refuse("InvalidFilterKey", Filters=[{"Key": "Colour", "Values": ["green"]}])
    refuse("InvalidInstanceInformationFilterValue", Filters=[{"Key": "PingStatus", "Values": ["Green"]}])
    refuse("InvalidNextToken", NextToken="nonsense")
    refuse("SerializationException", MaxResults="many")
    return [host["InstanceId"] for host in hosts if host["PingStatus"] == "Online"]


def documents():
    call(ssm, "describe_document", Name=DOCUMENT)
    call(ssm, "describe_document", Name=DOCUMENT, DocumentVersion="$LATEST")
    content = call(ssm, "get_document", Name=DOCUMENT, DocumentVersion="1", DocumentFormat="JSON")
    if json.loads(content.get("Content", "{}")).get("schemaVersion") != "2.2":
        off("GetDocument", "its content is no document of schema 2.2")
    call(ssm, "list_documents")
    call(ssm, "list_documents", Filters=[{"Key": "Owner", "Values": ["Self"]}], MaxResults=1)
    for operation in ("describe_document", "get_document"):
        fails(ssm, operation, "InvalidDocument", Name="nothing-here")
        fails(ssm, operation, "InvalidDocumentVersion", Name=DOCUMENT, DocumentVersion="7")
        fails(ssm, operation, "ValidationException", Name="?")
    fails(ssm, "list_documents", "InvalidFilterKey", Filters=[{"Key": "Colour", "Values": ["green"]}])
    fails(ssm, "list_documents", "InvalidNextToken", NextToken="nonsense")


def refused_commands(host):
    refuse = lambda code, **changes: fails(ssm, "send_command", code, **send(**changes))
    refuse("InvalidDocument", DocumentName="nothing-here")
    refuse("InvalidDocumentVersion", DocumentVersion="7")
    refuse("InvalidParameters", Parameters={"region": [REGION]})
    refuse("InvalidParameters", Parameters={**PARAMETERS, "colour": ["green"]})
    refuse("InvalidParameters", Parameters={**PARAMETERS, "os": ["Windows"]})
    refuse("InvalidParameters", Parameters={**PARAMETERS, "executionTimeout": ["soon"]})
    refuse("InvalidInstanceId", Targets=None, InstanceIds=[STRANGER])
    refuse("DuplicateInstanceId", Targets=None, InstanceIds=[host, host])
    refuse("ValidationException", Targets=None, InstanceIds=["web-1"])
    refuse("ValidationException", Targets=None)
    refuse("ValidationException", Targets=TAGS * 3)
    refuse("ValidationException", TimeoutSeconds=29)
    refuse("ValidationException", Comment="x" * 101)
    for bad in ("0", "0%", "101%", "many", "12345678"):
        refuse("ValidationException", MaxConcurrency=bad)
    for bad in ("101%", "-1", "01"):
        refuse("ValidationException", MaxErrors=bad)


def commands(hosts):
    sent = call(ssm, "send_command", **send())["Command"]
    nobody = call(ssm, "send_command", **send(Targets=[{"Key": "tag:OS", "Values": ["Plan9"]}]))["Command"]
    few = call(ssm, "send_command", **send(Targets=None, InstanceIds=hosts[:2], MaxErrors="0"))["Command"]
    apart = sent["ExpiresAfter"] - sent["RequestedDateTime"]
    if abs(apart.total_seconds() - (600 + 900) / FASTER) > 0.002:
        off("SendCommand", f"expires after {apart}, not after delivery and execution timeout")
    seen = follow(sent["CommandId"])
    for word in ("Success", "Failed"):
        if word not in seen:
            off("ListCommandInvocations", f"the story has no {word}: {sorted(seen)}")
    follow(few["CommandId"])
    none = call(ssm, "list_commands", CommandId=nobody["CommandId"])["Commands"][0]
    if (none["Status"], none["StatusDetails"], none["TargetCount"]) != ("Success", "NoInstancesInTag", 0):
        off("ListCommands", f"tags without hosts: {none}")
    listings(sent["CommandId"], hosts[0])
    return sent["CommandId"]


def follow(command):
    """Polls to the end, each page checked, and returns the words that were seen."""
    seen, deadline = set(), time.monotonic() + 60
    while time.monotonic() < deadline:
        rows, token = [], ""
        while True:
            more = {"NextToken": token} if token else {}
            page = call(ssm, "list_command_invocations", CommandId=command, Details=True, MaxResults=3, **more)
            rows += page["CommandInvocations"]
            token = page.get("NextToken")
            if not token:
                break
        seen |= {row["StatusDetails"] for row in rows}
        counts = call(ssm, "list_commands", CommandId=command)["Commands"]
        for row in rows:
            call(ssm, "get_command_invocation", CommandId=command, InstanceId=row["InstanceId"])
        if counts and counts[0]["Status"] in ("Success", "Failed", "TimedOut", "Cancelled"):
            if rows and counts[0]["CompletedCount"] != len(rows):
                off("ListCommands", f"completed {counts[0]['CompletedCount']} of {len(rows)}")
            return seen
        time.sleep(0.1)
    off("ListCommands", f"{command} did not end")
    return seen


def listings(command, host):
    for operation in ("list_commands", "list_command_invocations"):
        for filters in (
            [{"key": "InvokedAfter", "value": "2024-07-07T00:00:00Z"}],
            [{"key": "InvokedBefore", "value": "2024-07-07T00:00:00Z"}],
            [{"key": "DocumentName", "value": DOCUMENT}, {"key": "Status", "value": "Failed"}],
        ):
            call(ssm, operation, Filters=filters)
        call(ssm, operation, InstanceId=host, MaxResults=1)
        fails(ssm, operation, "InvalidCommandId", CommandId=NOBODY)
        fails(ssm, operation, "ValidationException", CommandId="short")
        fails(ssm, operation, "InvalidInstanceId", InstanceId=STRANGER)
        fails(ssm, operation, "InvalidFilterKey", Filters=[{"key": "Colour", "value": "green"}])
        fails(ssm, operation, "InvalidNextToken", NextToken="nonsense")
        fails(ssm, operation, "ValidationException", MaxResults=51)
    call(ssm, "list_commands", Filters=[{"key": "ExecutionStage", "value": "Complete"}])
    stage = [{"key": "ExecutionStage", "value": "Complete"}]
    fails(ssm, "list_command_invocations", "InvalidFilterKey", Filters=stage)
    pending = [{"key": "Status", "value": "Pending"}]
    fails(ssm, "list_commands", "ValidationException", InstanceId=host, Filters=pending)
    fails(ssm, "get_command_invocation", "InvocationDoesNotExist", CommandId=command, InstanceId=STRANGER)
    fails(ssm, "get_command_invocation", "InvalidCommandId", CommandId=NOBODY, InstanceId=host)
    fails(ssm, "get_command_invocation", "InvalidPluginName", CommandId=command, InstanceId=host, PluginName="nothing")


def cancelling(hosts):
    command = call(ssm, "send_command", **send())["Command"]["CommandId"]
    while not call(ssm, "list_command_invocations", CommandId=command)["CommandInvocations"]:
        time.sleep(0.02)
    row = call(ssm, "list_command_invocations", CommandId=command)["CommandInvocations"][0]
    fails(ssm, "cancel_command", "InvalidInstanceId", CommandId=command, InstanceIds=[STRANGER])
    fails(ssm, "cancel_command", "DuplicateInstanceId", CommandId=command, InstanceIds=[hosts[0], hosts[0]])
    fails(ssm, "cancel_command", "InvalidCommandId", CommandId=NOBODY)
    call(ssm, "cancel_command", CommandId=command, InstanceIds=[row["InstanceId"]])
    call(ssm, "cancel_command", CommandId=command)
    seen = follow(command)
    if "Cancelled" not in seen:
        off("CancelCommand", f"nothing was cancelled: {sorted(seen)}")
    call(ssm, "cancel_command", CommandId=command)


def registry():
    call(ecr, "get_authorization_token")
    call(ecr, "describe_repositories")
    call(ecr, "describe_repositories", repositoryNames=[REPOSITORY])
    fails(ecr, "describe_repositories", "RepositoryNotFoundException", repositoryNames=["nothing/here"])
    latest = [{"imageTag": "latest"}]
    call(ecr, "describe_images", repositoryName=REPOSITORY, imageIds=latest)
    call(ecr, "list_images", repositoryName=REPOSITORY)
    fails(ecr, "describe_images", "ImageNotFoundException", repositoryName=REPOSITORY, imageIds=[{"imageTag": "no"}])
    fails(ecr, "describe_images", "RepositoryNotFoundException", repositoryName="nothing/here", imageIds=latest)
    image = call(ecr, "batch_get_image", repositoryName=REPOSITORY, imageIds=latest)["images"][0]
    call(ecr, "batch_get_image", repositoryName=REPOSITORY, imageIds=[{"imageTag": "no"}])
    manifest = {"imageManifest": image["imageManifest"], "imageManifestMediaType": image["imageManifestMediaType"]}
    call(ecr, "put_image", repositoryName=REPOSITORY, imageTag="other", **manifest)
    fails(ecr, "put_image", "ImageAlreadyExistsException", repositoryName=REPOSITORY, imageTag="other", **manifest)
    digests = [layer["digest"] for layer in json.loads(image["imageManifest"])["layers"]]
    call(ecr, "batch_check_layer_availability", repositoryName=REPOSITORY, layerDigests=digests)


def main():
    identity()
    hosts = inventory()
    documents()
    refused_commands(hosts[0])
    commands(hosts)
    cancelling(hosts)
    registry()
    for problem in dict.fromkeys(problems):
        print("OFF", problem)
    print(f"{cases} cases, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
