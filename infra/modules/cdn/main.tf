# CloudFront in front of a Function URL that accepts only signed requests. CloudFront signs; nobody else may call.

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = var.name
  description                       = "Signs requests to ${var.name}"
  origin_access_control_origin_type = "lambda"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# The cache key is the path, the whole query string and the compression. The origin sets the lifetime; the default
# applies to responses without one.
resource "aws_cloudfront_cache_policy" "this" {
  name        = var.name
  comment     = "Whole query string; lifetime as the origin says"
  min_ttl     = 0
  default_ttl = var.default_ttl_seconds
  max_ttl     = var.max_ttl_seconds

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true

    query_strings_config {
      query_string_behavior = "all"
    }

    headers_config {
      header_behavior = "none"
    }

    cookies_config {
      cookie_behavior = "none"
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_86:Access logs need a bucket of the account's own choosing; var.log_bucket_domain_name takes it
  #checkov:skip=CKV_AWS_68:A web ACL is the account's own; var.web_acl_arn takes it
  #checkov:skip=CKV2_AWS_47:The same: what it filters is its owner's decision
  #checkov:skip=CKV_AWS_310:One function is the only origin; Lambda itself spans the region's zones
  #checkov:skip=CKV_AWS_305:The catalogue at / is the root object, made by the origin
  #checkov:skip=CKV_AWS_374:Which countries may download is a variable
  #checkov:skip=CKV2_AWS_42:A certificate of one's own is a variable; CloudFront's own name has CloudFront's certificate
  #checkov:skip=CKV2_AWS_32:The origin sends its own security headers
  #checkov:skip=CKV_AWS_174:With a certificate of one's own it is TLS 1.2; CloudFront's own takes no other setting
  comment         = var.name
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  aliases         = var.aliases
  web_acl_id      = var.web_acl_arn
  tags            = var.tags

  origin {
    origin_id                = "function"
    domain_name              = var.origin_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      origin_read_timeout    = var.origin_timeout_seconds
    }
  }

  # No origin request policy: only the cache key is forwarded from the viewer. In particular the Host header is not,
  # which would break the Function URL's routing and the signature.
  default_cache_behavior {
    target_origin_id       = "function"
    cache_policy_id        = aws_cloudfront_cache_policy.this.id
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    compress               = true
  }

  # By default CloudFront caches an error for 10 s, or as long as the origin says.
  dynamic "custom_error_response" {
    for_each = toset([400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504])

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = var.error_ttl_seconds
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = var.geo_restriction.type
      locations        = var.geo_restriction.countries
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.certificate_arn == null
    acm_certificate_arn            = var.certificate_arn
    ssl_support_method             = var.certificate_arn == null ? null : "sni-only"
    minimum_protocol_version       = var.certificate_arn == null ? "TLSv1" : "TLSv1.2_2021"
  }

  dynamic "logging_config" {
    for_each = var.log_bucket_domain_name == null ? [] : [var.log_bucket_domain_name]

    content {
      bucket          = logging_config.value
      prefix          = "${var.name}/"
      include_cookies = false
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.aliases) == 0 || var.certificate_arn != null
      error_message = "Aliases require a certificate: set certificate_arn."
    }

    precondition {
      condition     = var.max_ttl_seconds >= var.default_ttl_seconds
      error_message = "max_ttl_seconds must not be below default_ttl_seconds."
    }
  }
}

# Function URLs require both permissions since October 2025.
resource "aws_lambda_permission" "cloudfront" {
  for_each = {
    AllowCloudFrontUrl    = "lambda:InvokeFunctionUrl"
    AllowCloudFrontInvoke = "lambda:InvokeFunction"
  }

  statement_id  = each.key
  action        = each.value
  function_name = var.function_name
  qualifier     = var.function_qualifier
  principal     = "cloudfront.amazonaws.com"
  source_arn    = aws_cloudfront_distribution.this.arn
}

# CloudFront's metrics are in us-east-1, so an alarm on them must be there, too.
resource "aws_cloudwatch_metric_alarm" "errors" {
  provider = aws.us_east_1
  count    = var.alarms_enabled ? 1 : 0

  alarm_name          = "${var.name}-cdn-5xx"
  alarm_description   = "Over ${var.error_alarm_percent} % of the requests to ${aws_cloudfront_distribution.this.domain_name} were answered with a 5xx. Runbook: cdn-5xx"
  namespace           = "AWS/CloudFront"
  metric_name         = "5xxErrorRate"
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.error_alarm_percent
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  dimensions = {
    DistributionId = aws_cloudfront_distribution.this.id
    Region         = "Global"
  }
}
