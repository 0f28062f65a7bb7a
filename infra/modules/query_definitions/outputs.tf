output "names" {
  description = "Names of the saved queries."
  value       = sort([for query in aws_cloudwatch_query_definition.this : query.name])
}
