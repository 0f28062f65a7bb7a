# Deployed queues keep their dead letters: the dead-letter queue used to be a resource of this module.

moved {
  from = aws_sqs_queue.dead_letters
  to   = module.dead_letters.aws_sqs_queue.this
}

moved {
  from = aws_cloudwatch_metric_alarm.dead_letters
  to   = module.dead_letters.aws_cloudwatch_metric_alarm.messages
}
