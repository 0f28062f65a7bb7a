# Inputs of a deployment. Rarely changed settings of a service are attributes of the object named after it.

variable "project_name" {
  description = "First part of all names."
  type        = string
  default     = "sluice"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.project_name))
    error_message = "project_name must have 2 to 16 lower-case letters, digits and hyphens and start with a letter: it is part of bucket names."
  }
}

variable "environment" {
  description = "Second part of all names: dev, staging, prod, …"
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must have 2 to 10 lower-case letters and digits and start with a letter."
  }
}

variable "aws_region" {
  description = "Region of the deployment."
  type        = string
  default     = "us-east-1"
}

variable "aws_endpoint_url" {
  description = "Endpoint URL of an emulator, such as http://127.0.0.1:4566; empty for AWS."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^https?://[^/]+$", var.aws_endpoint_url))
    error_message = "aws_endpoint_url must be empty or have the form http(s)://host:port, without a path."
  }
}

variable "tags" {
  description = "Tags of all resources, in addition to Project, Environment and ManagedBy."
  type        = map(string)
  default     = {}
}

variable "account_concurrency" {
  description = "Concurrent Lambda executions of the account in the region. New accounts have 10. scripts/account_limits.py prints the limit; Service Quotas raises it."
  type        = number
  default     = 10

  validation {
    condition     = var.account_concurrency >= 10 && floor(var.account_concurrency) == var.account_concurrency
    error_message = "account_concurrency must be a whole number of at least 10."
  }
}

# Packages

variable "lambda_zip_dir" {
  description = "Folder of the functions' zip files."
  type        = string
  default     = "../build/lambdas"
}

variable "layer_zip_dir" {
  description = "Folder of the layers' zip files."
  type        = string
  default     = "../build/layers"
}

variable "artifact_bucket_name" {
  description = "Existing bucket for uploading large layers; null creates one if a service needs it."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Instruction set that the zip files were built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"
}

# Data

variable "force_destroy" {
  description = "Delete the buckets' objects with the buckets. Only for environments whose data may be lost."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Protect tables from deletion."
  type        = bool
  default     = false
}

variable "abort_upload_after_days" {
  description = "Days after which an incomplete multipart upload is aborted."
  type        = number
  default     = 2
}

# Security

variable "kms_key_arn" {
  description = "KMS key of all stored data; null for keys that AWS manages. infra/README.md lists what its policy must allow."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not an alias)."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles; null for none."
  type        = string
  default     = null
}

variable "vpc_config" {
  description = "Subnets and security groups of the functions; null for no VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "require_tls" {
  description = "Deny requests over plain HTTP to buckets and queues. False only for an emulator without TLS."
  type        = bool
  default     = true
}

# Operations

variable "tracing_enabled" {
  description = "Enable X-Ray tracing."
  type        = bool
  default     = false
}

variable "log_level" {
  description = "Minimum level of the functions' log lines: DEBUG, INFO, WARNING, ERROR; CRITICAL only if ZIP jobs are the only service."
  type        = string
  default     = "INFO"
}

variable "log_retention_days" {
  description = "Days that logs are kept. The default is the retention of the dead-letter queues."
  type        = number
  default     = 14
}

variable "alarms_enabled" {
  description = "Create the alarms."
  type        = bool
  default     = true
}

variable "essential_alarms_only" {
  description = "Create only the alarms on dead letters and failed invocations. Ten alarms per account are free."
  type        = bool
  default     = false
}

variable "dashboard_enabled" {
  description = "Create the dashboard <project>-<environment>."
  type        = bool
  default     = true
}

variable "alarm_email" {
  description = "Email address for alarms, through an SNS topic created here; null for no topic. The first mail asks for confirmation."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be an email address."
  }
}

variable "alarm_topic_arn" {
  description = "Existing SNS topic that alarms notify; null for none."
  type        = string
  default     = null
}

variable "queries_enabled" {
  description = "Save the queries of queries/ in Logs Insights. False for an emulator without saved queries."
  type        = bool
  default     = true
}

# ZIP jobs

variable "enable_zip_jobs" {
  description = "Deploy the ZIP jobs service."
  type        = bool
  default     = true
}

variable "src_bucket_name" {
  description = "Bucket of the objects to archive; null generates a name."
  type        = string
  default     = null
}

variable "create_src_bucket" {
  description = "Create the source bucket; false if src_bucket_name exists."
  type        = bool
  default     = true
}

variable "dst_bucket_name" {
  description = "Bucket of the archives; null generates a name."
  type        = string
  default     = null
}

variable "create_dst_bucket" {
  description = "Create the destination bucket; false if dst_bucket_name exists."
  type        = bool
  default     = true
}

variable "dst_prefix" {
  description = "Default key prefix of the archives; a request may specify another."
  type        = string
  default     = "zips/"
}

variable "presign_ttl_seconds" {
  description = "Default lifetime of a download URL in seconds, 60 to 604800; a request may specify another."
  type        = number
  default     = 86400
}

variable "api_auth" {
  description = "Authorization of the API: AWS_IAM (signed requests), JWT (with jwt_issuer and jwt_audience) or NONE (public)."
  type        = string
  default     = "AWS_IAM"

  validation {
    condition     = contains(["AWS_IAM", "JWT", "NONE"], var.api_auth)
    error_message = "api_auth must be AWS_IAM, JWT or NONE."
  }
}

variable "jwt_issuer" {
  description = "Issuer of the tokens, an https URL, for api_auth = JWT."
  type        = string
  default     = null
}

variable "jwt_audience" {
  description = "Accepted audiences for api_auth = JWT; a token must name one of them."
  type        = list(string)
  default     = []
}

variable "zip_jobs" {
  description = "Rarely changed settings of ZIP jobs. Unset attributes have the defaults of services/zip_jobs/variables.tf, which describes them."
  type = object({
    additional_src_bucket_names  = optional(list(string), [])
    additional_dst_bucket_names  = optional(list(string), [])
    bucket_kms_key_arns          = optional(list(string), [])
    cors_allow_origins           = optional(list(string), [])
    throttling_rate_limit        = optional(number, 50)
    throttling_burst_limit       = optional(number, 100)
    operators                    = optional(object({ iam_arns = optional(list(string)), claims = optional(map(list(string))) }), {})
    job_ttl_days                 = optional(number, 30)
    expire_archives              = optional(bool, true)
    queue_retention_seconds      = optional(number, 345600)
    max_receive_count            = optional(number, 5)
    oldest_message_alarm_seconds = optional(number, 3600)
    settle_schedule              = optional(string, "rate(5 minutes)")
    allowed_prefixes = optional(object({
      claim         = optional(string)
      principal_tag = optional(string)
      values        = optional(map(list(string)))
      default       = optional(list(string))
    }))
    worker = optional(object({
      memory_mb            = optional(number)
      timeout_seconds      = optional(number)
      maximum_concurrency  = optional(number)
      reserved_concurrency = optional(number)
      lease_seconds        = optional(number)
      read_concurrency     = optional(number)
      read_ahead_mb        = optional(number)
      upload_concurrency   = optional(number)
      part_size_bytes      = optional(number)
      read_chunk_bytes     = optional(number)
      max_members          = optional(number)
      copy_threshold_mb    = optional(number)
      copy_concurrency     = optional(number)
      head_threshold_kb    = optional(number)
      checkpoint_seconds   = optional(number)
      stop_before_seconds  = optional(number)
      max_hops             = optional(number)
    }), {})
  })
  default  = {}
  nullable = false
}

# CSV streamer

variable "enable_csv_streamer" {
  description = "Deploy the CSV streamer."
  type        = bool
  default     = true
}

variable "csv_streamer" {
  description = "Settings of the CSV streamer. Unset attributes have the defaults of services/csv_streamer/variables.tf, which describes them."
  type = object({
    create_bucket             = optional(bool, true)
    bucket_name               = optional(string)
    path_prefix               = optional(string, "raw")
    additional_prefixes       = optional(list(string), [])
    schedule                  = optional(string)
    secret_arns               = optional(list(string), [])
    additional_kms_key_arns   = optional(list(string), [])
    memory_mb                 = optional(number)
    timeout_seconds           = optional(number)
    reserved_concurrency      = optional(number)
    maximum_event_age_seconds = optional(number)
    concurrency               = optional(number)
    s3_part_mb                = optional(number)
    http_chunk_kb             = optional(number)
    upload_concurrency        = optional(number)
    range_connections         = optional(number)
    connections_per_host      = optional(number)
    max_attempts              = optional(number)
    max_file_gb               = optional(number)
    suffix_map                = optional(map(string))
    suffix_match              = optional(string)
    http_proxy                = optional(string)
    https_proxy               = optional(string)
    no_proxy                  = optional(string)
    ca_bundle                 = optional(string)
    allow_private_hosts       = optional(bool)
    skip_unchanged            = optional(bool)
    continue_async            = optional(bool)
    max_hops                  = optional(number)
    stop_before_seconds       = optional(number)
    stall_seconds             = optional(number)
    progress_seconds          = optional(number)
  })
  default  = {}
  nullable = false
}

# Data aggregator

variable "enable_data_aggregator" {
  description = "Deploy the data aggregator."
  type        = bool
  default     = true
}

variable "data_aggregator" {
  description = "Settings of the data aggregator. Unset attributes have the defaults of services/data_aggregator/variables.tf, which describes them."
  type = object({
    create_source_bucket              = optional(bool, true)
    source_bucket_name                = optional(string)
    create_source_notification        = optional(bool, true)
    source_prefix                     = optional(string)
    source_suffix                     = optional(string)
    create_distribution_bucket        = optional(bool, true)
    distribution_bucket_name          = optional(string)
    replication_enabled               = optional(bool, true)
    create_archive_bucket             = optional(bool, true)
    archive_bucket_name               = optional(string)
    archive_storage_class             = optional(string, "GLACIER")
    archive_transition_days           = optional(number, 30)
    archive_object_lock               = optional(object({ mode = string, days = number }))
    create_glue_table                 = optional(bool, false)
    glue_first_hour                   = optional(string, "2025/01/01/00")
    bucket_kms_key_arns               = optional(list(string), [])
    queue_retention_seconds           = optional(number, 345600)
    dlq_retention_seconds             = optional(number, 1209600)
    max_receive_count                 = optional(number, 5)
    idempotency_ttl_days              = optional(number, 21)
    oldest_message_alarm_seconds      = optional(number, 900)
    replication_latency_alarm_seconds = optional(number, 900)
    distribution_objects_alarm        = optional(number, 100000)
    memory_mb                         = optional(number)
    ephemeral_storage_mb              = optional(number)
    timeout_seconds                   = optional(number)
    batch_size                        = optional(number)
    batching_window_seconds           = optional(number)
    maximum_concurrency               = optional(number)
    reserved_concurrency              = optional(number)
    max_bundle_input_mb               = optional(number)
    gzip_level                        = optional(number)
    read_concurrency                  = optional(number)
    read_ahead_mb                     = optional(number)
    stop_before_seconds               = optional(number)
    claim_grace_seconds               = optional(number)
    disk_reserve_mb                   = optional(number)
  })
  default  = {}
  nullable = false
}

# xAPI ETL

variable "enable_xapi_etl" {
  description = "Deploy the xAPI ETL; null deploys it if clickhouse_url or xapi_etl.clickhouse.host is set."
  type        = bool
  default     = null
}

variable "clickhouse_url" {
  description = "URL of ClickHouse's HTTP interface, such as https://host:8443, without user and password; null if there is none or xapi_etl.clickhouse.host is set."
  type        = string
  default     = null
}

variable "clickhouse_password" {
  description = "Password of xapi_etl.clickhouse.user. xapi_etl.clickhouse.secret_arn keeps it out of the state."
  type        = string
  default     = null
  sensitive   = true
}

variable "xapi_etl" {
  description = "Settings of the xAPI ETL. Unset attributes have the defaults of services/xapi_etl/variables.tf, which describes them."
  type = object({
    create_bucket                = optional(bool, true)
    bucket_name                  = optional(string)
    create_notification          = optional(bool, true)
    source_prefix                = optional(string, "statements/")
    source_suffixes              = optional(list(string), [])
    partitions                   = optional(map(string), {})
    quarantine_bucket_name       = optional(string)
    quarantine_prefix            = optional(string, "quarantine/")
    quarantine_days              = optional(number, 90)
    layer_shared_with            = optional(list(string), [])
    additional_kms_key_arns      = optional(list(string), [])
    queue_retention_seconds      = optional(number, 345600)
    dlq_retention_seconds        = optional(number, 1209600)
    max_receive_count            = optional(number, 5)
    oldest_message_alarm_seconds = optional(number, 900)

    clickhouse = optional(object({
      host            = optional(string)
      port            = optional(number)
      secure          = optional(bool)
      path            = optional(string)
      database        = optional(string)
      table           = optional(string)
      insert_sql      = optional(string)
      insert_columns  = optional(list(string))
      user            = optional(string)
      secret_arn      = optional(string)
      settings        = optional(map(string))
      timeout_seconds = optional(number)
      max_attempts    = optional(number)
    }), {})

    memory_mb                             = optional(number)
    ephemeral_storage_mb                  = optional(number)
    timeout_seconds                       = optional(number)
    batch_size                            = optional(number)
    batching_window_seconds               = optional(number)
    maximum_concurrency                   = optional(number)
    reserved_concurrency                  = optional(number)
    strictness                            = optional(string)
    bad_lines                             = optional(string)
    bad_lines_max_ratio                   = optional(number)
    max_line_bytes                        = optional(number)
    column_map                            = optional(string)
    column_map_s3_uri                     = optional(string)
    parquet_compression                   = optional(string)
    target_rows_per_insert                = optional(number)
    max_rows_per_insert                   = optional(number)
    max_parquet_bytes_per_insert          = optional(number)
    min_remaining_time_to_start_insert_ms = optional(number)
    lambda_timeout_safety_margin_ms       = optional(number)
    max_s3_object_bytes                   = optional(number)
    s3_connect_timeout_seconds            = optional(number)
    s3_read_timeout_seconds               = optional(number)
    s3_max_attempts                       = optional(number)
    read_concurrency                      = optional(number)
    iter_log_interval_seconds             = optional(number)
    dry_run                               = optional(bool)
  })
  default  = {}
  nullable = false
}

# Dataset download

variable "enable_dataset_download" {
  description = "Deploy the dataset download."
  type        = bool
  default     = true
}

variable "dataset_stream_url" {
  description = "URL of the offline stack's streaming server for the dataset download, since the emulator cannot stream; empty for AWS."
  type        = string
  default     = ""
  nullable    = false
}

variable "dataset_download" {
  description = "Settings of the dataset download. Unset attributes have the defaults of services/dataset_download/variables.tf, which describes them."
  type = object({
    create_bucket              = optional(bool, true)
    bucket_name                = optional(string)
    prefix                     = optional(string, "")
    noncurrent_days            = optional(number, 90)
    intelligent_tiering        = optional(bool, false)
    create_export_bucket       = optional(bool, true)
    export_bucket_name         = optional(string)
    export_prefix              = optional(string, "exports/")
    export_days                = optional(number, 2)
    function_url_auth          = optional(string, "AWS_IAM")
    web_adapter                = optional(bool, true)
    web_adapter_layer_arn      = optional(string)
    canary                     = optional(bool, false)
    additional_kms_key_arns    = optional(list(string), [])
    us_east_1_alarm_topic_arns = optional(list(string), [])
    error_rate_alarm_percent   = optional(number, 5)

    cdn = optional(object({
      enabled         = optional(bool, false)
      aliases         = optional(list(string), [])
      certificate_arn = optional(string)
      web_acl_arn     = optional(string)
      geo_restriction = optional(object({
        type      = optional(string, "none")
        countries = optional(list(string), [])
      }), {})
      default_ttl_seconds    = optional(number)
      max_ttl_seconds        = optional(number)
      error_ttl_seconds      = optional(number)
      price_class            = optional(string)
      log_bucket_domain_name = optional(string)
    }), {})

    memory_mb              = optional(number)
    timeout_seconds        = optional(number)
    reserved_concurrency   = optional(number)
    export_memory_mb       = optional(number)
    export_timeout_seconds = optional(number)
    batch_rows             = optional(number)
    read_ahead_mb          = optional(number)
    max_sort_rows          = optional(number)
    organisation_column    = optional(string)
    formula_guard          = optional(bool)
    redirect_parquet       = optional(bool)
    stream_limit_mb        = optional(number)
    small_answer_kb        = optional(number)
    buffer_limit_mb        = optional(number)
    exports                = optional(bool)
    export_inline_mb       = optional(number)
    presign_ttl_seconds    = optional(number)
    cache_full_seconds     = optional(number)
    cache_filtered_seconds = optional(number)
    page_cache_seconds     = optional(number)
    max_query_bytes        = optional(number)
    stall_seconds          = optional(number)
    public_base_url        = optional(string)
  })
  default  = {}
  nullable = false
}
