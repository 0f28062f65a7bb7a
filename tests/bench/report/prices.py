"""List prices of AWS in us-east-1, in US dollars, as of November 2026; free tiers and volume discounts left aside.

Sources: aws.amazon.com/s3/pricing (S3 Standard), /lambda/pricing (x86), /dynamodb/pricing/on-demand, /sqs/pricing
(standard queues), /api-gateway/pricing (HTTP APIs). Storage and what leaves AWS cost the same whatever the code does,
and are not here.
"""

MILLION = 1_000_000
S3_WRITE = 0.005 / 1_000
"""PUT, COPY, POST, LIST."""
S3_READ = 0.0004 / 1_000
"""GET, HEAD and all others."""
LAMBDA_GB_SECOND = 0.0000166667

REQUESTS = {
    "PutObject": S3_WRITE,
    "CopyObject": S3_WRITE,
    "CreateMultipartUpload": S3_WRITE,
    "UploadPart": S3_WRITE,
    "UploadPartCopy": S3_WRITE,
    "CompleteMultipartUpload": S3_WRITE,
    "ListObjectsV2": S3_WRITE,
    "ListParts": S3_WRITE,
    "GetObject": S3_READ,
    "HeadObject": S3_READ,
    "DeleteObject": 0.0,
    "AbortMultipartUpload": 0.0,
    "Lambda": 0.20 / MILLION,
    "SQS": 0.40 / MILLION,
    "HTTPAPI": 1.00 / MILLION,
    "DynamoDBWrite": 0.625 / MILLION,
    "DynamoDBRead": 0.125 / MILLION,
}
"""Of one request, by operation; of DynamoDB one unit on demand (1 KB written, 4 KB read)."""
