# One dashboard for all deployed services.

module "observability" {
  source = "./modules/observability"

  name              = local.name_prefix
  dashboard_enabled = var.dashboard_enabled

  services = concat(
    module.csv_streamer[*].dashboard,
    module.data_aggregator[*].dashboard,
    module.xapi_etl[*].dashboard,
    module.dataset_download[*].dashboard,
    module.zip_jobs[*].dashboard,
  )
}
