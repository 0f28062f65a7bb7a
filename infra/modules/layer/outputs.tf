output "arn" {
  description = "ARN of the layer's version, as a function names it."
  value       = aws_lambda_layer_version.this.arn
}
