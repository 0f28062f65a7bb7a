# Saves every *.query file of a folder as a query in CloudWatch Logs Insights, in its own folder.

locals {
  files = var.queries_enabled ? fileset(var.folder, "*.query") : toset([])
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = local.files

  name            = "${var.name_prefix}/${trimsuffix(each.key, ".query")}"
  log_group_names = var.log_group_names
  query_string    = file("${var.folder}/${each.key}")
}
