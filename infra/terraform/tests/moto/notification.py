"""Snowpipe's queue, played by one of ours: what S3 tells it, and what not.

    notification.py queue                       makes it and prints its ARN
    notification.py deliver BUCKET PREFIX ARN   puts objects, and fails unless the queue hears of those under the prefix alone
"""

import json
import sys
import urllib.parse

import boto3

OTHERS = ["deadletter/a.jsonl", "aws/lambda/a", "firehose-errors/a", "{prefix}2/a.csv", "a.csv"]


def queue():
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="sf-snowpipe-stand-in")["QueueUrl"]
    print(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def heard(sqs, url):
    """The keys of all messages in the queue, and nothing of what S3 sends to try the queue out."""
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            for record in json.loads(message["Body"]).get("Records", []):
                yield urllib.parse.unquote_plus(record["s3"]["object"]["key"])


def deliver(bucket, prefix, arn):
    s3 = boto3.client("s3", config=boto3.session.Config(s3={"addressing_style": "path"}))
    # moto takes its own requests for ones without TLS; the next apply puts the policy back.
    s3.delete_bucket_policy(Bucket=bucket)
    rows = [f"{prefix}/sensor-{n}/2026/11/20/14/shardId-000000000000-1-{n}.csv" for n in (2, 6)]
    others = [key.format(prefix=prefix) for key in OTHERS]
    for key in [*rows, *others]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    sqs = boto3.client("sqs")
    told = sorted(heard(sqs, sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]))
    print(f"the queue heard of {told}, and of none of {others}" if told == rows else f"FAILED: heard of {told}, not of {rows}")
    sys.exit(told != rows)


{"queue": queue, "deliver": deliver}[sys.argv[1]](*sys.argv[2:])
