scores <- read.csv("scores.csv")
means <- aggregate(value ~ method + depth, data = scores, FUN = mean)
means$value <- round(means$value, 3)
write.csv(means[, c("depth", "method", "value")], quote = FALSE, row.names = FALSE)
