import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * Runs a file of Flink's SQL in this process, its INSERTs as one job, until it is ended. Usage: RunSql FILE KEY=VALUE...
 * Says on standard output, with the time in milliseconds, when the job runs.
 */
final class RunSql {
    public static void main(String[] args) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (int i = 1; i < args.length; i++) {
            settings.put(args[i].substring(0, args[i].indexOf('=')), args[i].substring(args[i].indexOf('=') + 1));
        }
        Configuration configuration = Configuration.fromMap(settings);
        int slots = Integer.parseInt(settings.get("parallelism.default"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(slots, configuration);
        StreamTableEnvironment tables = StreamTableEnvironment.create(
                env, EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        StatementSet inserts = tables.createStatementSet();
        for (String statement : Files.readString(Path.of(args[0])).split(";\\s*\n")) {
            String text = statement.replaceAll("(?m)--.*$", "").strip();
            if (text.startsWith("INSERT")) {
                inserts.addInsertSql(text);
            } else if (!text.isEmpty()) {
                tables.executeSql(text);
            }
        }
        JobClient job = inserts.execute().getJobClient().orElseThrow();
        while (job.getJobStatus().get() != JobStatus.RUNNING) {
            Thread.sleep(5);
        }
        System.out.println("running " + System.currentTimeMillis());
        job.getJobExecutionResult().get();
    }
}
