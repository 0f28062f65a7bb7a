# Saved Logs Insights queries over the logs of the four functions and the API.

module "queries" {
  source = "../../modules/query_definitions"

  name_prefix     = "${var.name_prefix}/zip-jobs"
  folder          = "${path.module}/../../queries/zip_jobs"
  queries_enabled = var.common.queries_enabled

  log_group_names = [
    module.enqueue.log_group_name,
    module.status.log_group_name,
    module.worker.log_group_name,
    module.settler.log_group_name,
    module.api.access_log_group_name,
  ]
}
